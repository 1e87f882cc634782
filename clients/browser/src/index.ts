export { SealringError, type ClientCode } from "./errors.ts";
export { Sealring } from "./sealring.ts";
export type { Settings } from "./settings.ts";
export type { SignInOptions } from "./sign_in.ts";
