
"use strict";
(() => {
  const table = document.getElementById("pairs");
  if (!table) return;
  // Labels and numbers are in every pair, and digits of a name in many a fingerprint.
  const searched = ".name, .files, .badge, .reason, .review";
  const pairs = Array.from(table.querySelectorAll("tbody.pair"), (body) => ({
    body,
    text: Array.from(body.querySelectorAll(searched), (part) => part.textContent).join(" ")
      .toLowerCase(),
    data: body.dataset,
    more: body.querySelector(".more"),
  }));
  const at = (id) => document.getElementById(id);
  const [search, verdict, between, state] = ["search", "verdict", "between", "state"].map(at);
  const form = at("filters"), count = at("count"), unfold = at("unfold");

  // Each pair can be folded: its reason stays, pictures and numbers go.
  const fold = (pair, open) => {
    pair.more.hidden = !open;
    pair.toggle.setAttribute("aria-expanded", String(open));
  };
  const startOpen = table.dataset.open === "1";
  for (const pair of pairs) {
    pair.toggle = document.createElement("button");
    pair.toggle.type = "button";
    pair.toggle.className = "toggle";
    pair.toggle.textContent = "Pictures and numbers";
    pair.toggle.setAttribute("aria-controls", pair.more.id);
    pair.toggle.setAttribute("aria-label",
      `Pictures and numbers of ${pair.data.left} and ${pair.data.right}`);
    pair.toggle.addEventListener("click", () => fold(pair, pair.more.hidden));
    pair.more.before(pair.toggle);
    fold(pair, startOpen);
  }
  let allOpen = startOpen;
  const nameUnfold = () => {
    unfold.textContent = allOpen ? "Hide all pictures" : "Show all pictures";
  };
  unfold.addEventListener("click", () => {
    allOpen = !allOpen;
    for (const pair of pairs) fold(pair, allOpen);
    nameUnfold();
  });
  nameUnfold();

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { body, text, data } of pairs) {
      const fits = words.every((word) => text.includes(word))
        && (!verdict.value || data.verdict === verdict.value)
        && (!between.value || data.splits === between.value)
        && (!state.value || data.state === state.value);
      body.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${pairs.length} pairs are shown.`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const link of document.querySelectorAll("a[data-splits]")) {
    link.addEventListener("click", () => {
      form.reset();
      between.value = link.dataset.splits;
      setTimeout(filter);
      at("findings").focus();
    });
  }

  // Columns sort by names as people count, or by numbers; pairs that are equal keep their order.
  const names = new Intl.Collator("en", { numeric: true });
  const byNumber = new Set(["rank", "confidence", "similarity"]);
  const heads = table.querySelectorAll("th[data-key]");
  const sort = (head) => {
    const key = head.dataset.key;
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : byNumber.has(key) && key !== "rank";
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    const value = (pair) => pair.data[key] === "" ? -2 : Number(pair.data[key]);
    pairs.sort((one, other) => sign * (byNumber.has(key)
      ? value(one) - value(other)
      : names.compare(one.data[key], other.data[key])) || one.data.number - other.data.number);
    table.append(...pairs.map((pair) => pair.body));
  };
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(head));
  }
  // What is not on the screen has not been decoded yet; on paper it is wanted.
  window.addEventListener("beforeprint", () => {
    for (const image of document.images) image.loading = "eager";
  });
  form.hidden = false;
  filter();
})();
