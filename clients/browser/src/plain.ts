import { Sealring, SealringError } from "./index.ts";

Object.assign(globalThis, { Sealring, SealringError });
