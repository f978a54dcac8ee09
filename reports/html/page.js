// Sorting and filtering is List.js; here is what belongs to this page alone.
// The inside of a case stays a template until it is opened, so that a thousand cases open as fast as one.
const fill = (one) => {
  const template = one.querySelector(":scope > template");
  if (template) template.replaceWith(template.content);
};
for (const one of document.querySelectorAll("details.case")) {
  one.addEventListener("toggle", () => one.open && fill(one));
}
const follow = () => {
  const one = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (one instanceof HTMLDetailsElement) {
    fill(one);
    one.open = true;
    one.scrollIntoView();
  }
};
addEventListener("hashchange", follow);
addEventListener("beforeprint", () => document.querySelectorAll("details.case.new").forEach((one) => { fill(one); one.open = true; }));
addEventListener("keydown", (event) => {
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
    event.preventDefault();
    document.querySelector("#cases .search").focus();
  }
});
if (document.getElementById("off")) {
  new List("off", { valueNames: ["operation", "engines", "off", "where", "count", "state"] });
}
new List("cases", { valueNames: ["name", "about", "tags", "chip", "rank", "size"] });
follow();
