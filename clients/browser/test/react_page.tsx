/** A page as the author of one writes it; the journeys of tests/ open it in a real browser. */
import { Sealring, SealringError, type Settings } from "@sealring/browser";
import { useSignedIn } from "@sealring/browser/react";
import { useState, type ReactNode } from "react";
import { createRoot } from "react-dom/client";

declare global {
  interface Window {
    settings: Settings;
  }
}
const sealring = new Sealring(window.settings);

function Shop(): ReactNode {
  const [problem, setProblem] = useState("");
  const signedIn = useSignedIn(sealring, (refused) => setProblem(refused instanceof SealringError ? refused.code : "?"));
  if (problem) return <p id="problem">{problem}</p>;
  if (signedIn === undefined) return <p>…</p>;
  if (!signedIn) return <button id="sign-in" onClick={() => void sealring.signIn()}>Sign in</button>;
  return <button id="sign-out" onClick={() => void sealring.signOut()}>Sign out</button>;
}

const place = document.getElementById("root");
if (place) createRoot(place).render(<Shop />);
