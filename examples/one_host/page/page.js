const sealring = new Sealring({
  issuer: `${location.origin}/auth`,
  clientId: "page",
  scope: "openid orders:read",
  redirectUri: "/app/",
  apis: { [location.origin]: "orders" },
});
const [who, signIn, signOut, orders] = ["who", "sign-in", "sign-out", "orders"].map((id) => document.getElementById(id));

async function show(signedIn) {
  who.textContent = signedIn ? "You are signed in." : "You are not signed in.";
  signIn.hidden = signedIn;
  signOut.hidden = !signedIn;
  orders.replaceChildren();
  if (!signedIn) return;
  const answer = await sealring.fetch("/api/orders");
  for (const { item } of await answer.json()) orders.append(Object.assign(document.createElement("li"), { textContent: item }));
}

signIn.addEventListener("click", () => sealring.signIn());
signOut.addEventListener("click", () => sealring.signOut({ everyApplication: true, returnTo: `${location.origin}/app/` }));
sealring.onChange(show);
sealring.signedIn().then(show, (problem) => {
  who.textContent = `That did not work: ${problem.code}`;
  signIn.hidden = false;
});
