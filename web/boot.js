// Starts the page: loads its module, or says why it cannot.

import init from "./highwater_web.js";

try {
  await init();
} catch (error) {
  const notice = document.getElementById("notice");
  if (notice) notice.textContent = `The page cannot start: ${error?.message ?? error}`;
  throw error;
}
