(function () {
  "use strict";
  // Tables: a click on a heading sorts by that column; the page is complete without it.
  document.querySelectorAll(".cs-table table").forEach(function (table) {
    var body = table.tBodies[0];
    if (!body || body.rows.length < 2) return;
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        var numeric = head.classList.contains("cs-num");
        var down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : numeric;
        Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) {
          other.removeAttribute("aria-sort");
        });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.prototype.slice.call(body.rows)
          .sort(function (a, b) { return compare(a.cells[column], b.cells[column], numeric, down); })
          .forEach(function (row) { body.appendChild(row); });
      });
    });
  });
  function compare(a, b, numeric, down) {
    var x = key(a, numeric), y = key(b, numeric);
    if (x === null || y === null) return (x === null) - (y === null);  // missing values stay last
    var order = numeric ? x - y : x.localeCompare(y, "en", { numeric: true });
    return down ? -order : order;
  }
  function key(cell, numeric) {
    if (numeric) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    return cell.textContent === "–" ? null : cell.textContent;
  }
  // Contents: mark the section being read.
  var links = Array.prototype.slice.call(document.querySelectorAll(".toc a"));
  var targets = links.map(function (link) { return document.getElementById(link.hash.slice(1)); });
  function mark() {
    var end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    var current = 0;
    targets.forEach(function (target, i) {
      if (target && (end || target.getBoundingClientRect().top < innerHeight / 3)) current = i;
    });
    links.forEach(function (link, i) {
      if (i === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }
  if (links.length) {
    addEventListener("scroll", mark, { passive: true });
    addEventListener("resize", mark);
    mark();
  }
  addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (details) { details.open = true; });
  });
})();
