// The link's secret lives in the fragment, which browsers never send. It leaves the address bar at once.
const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

const form = document.getElementById("enroll");
const outcome = document.getElementById("outcome");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  outcome.textContent = "…";
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        link_secret: secret,
        username: form.elements.username.value,
        password: form.elements.password.value,
      }),
    });
    const answer = await response.json();
    if (response.ok) {
      form.replaceChildren(outcome);
      outcome.textContent = `Welcome, ${answer.username}. You are an administrator now.`;
      return;
    }
    outcome.textContent = answer.error_description;
  } catch {
    outcome.textContent = "The server cannot be reached: try again.";
  }
  button.disabled = false;
});
