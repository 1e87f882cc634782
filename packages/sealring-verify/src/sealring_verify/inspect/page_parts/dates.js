// Dates in words, as sealring_verify.inspect.dates writes them.

const STEPS = [[365 * 86400, "y", 86400, "d"], [86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
const LAST = 253402300799; // the end of the year 9999

function moment(instant) {
  if (instant < 0) return "before 1970";
  if (instant > LAST) return "beyond the year 9999";
  return `${new Date(instant * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function distance(instant, now) {
  const seconds = Math.round(instant - now);
  if (seconds === 0) return "now";
  return seconds > 0 ? `in ${duration(seconds)}` : `${duration(-seconds)} ago`;
}

function duration(seconds) {
  for (const [large, largeName, small, smallName] of STEPS) {
    if (seconds >= large) {
      const rest = Math.floor((seconds % large) / small);
      return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
    }
  }
  return `${seconds} s`;
}

// null for what is no number.
function dateInWords(value, now) {
  if (typeof value !== "bigint" && typeof value !== "number") return null;
  const seconds = Math.trunc(Number(value));
  if (seconds > LAST) return `as milliseconds: ${moment(Math.floor(seconds / 1000))}`;
  return `${moment(seconds)}, ${distance(seconds, now)}`;
}
