// Runs before the first paint, so that no page flashes in the other theme or jumps when the sidebar goes. Not a
// module: modules wait. The names and the width are those of preferences.js.
(() => {
  const root = document.documentElement;
  root.classList.toggle("sidebar-closed", matchMedia("(max-width: 760px)").matches);
  try {
    const theme = localStorage.getItem("chatsite.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("chatsite.sidebar") === "closed") root.classList.add("sidebar-closed");
  } catch {
    // Storage is forbidden: the system's theme and an open sidebar it is.
  }
})();
