import { useEffect, useState } from "react";
import type { Sealring } from "./index.ts";

/** Whether somebody is signed in: undefined until it is known, then told of every change, from whichever tab. */
export function useSignedIn(sealring: Sealring, onProblem?: (problem: unknown) => void): boolean | undefined {
  const [known, setKnown] = useState(sealring.known);
  useEffect(() => {
    sealring.signedIn().then(setKnown, (problem: unknown) => onProblem?.(problem));
    return sealring.onChange(setKnown);
  }, [sealring]);
  return known;
}
