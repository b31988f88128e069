(function () {
  "use strict";
  // Contents: mark the section being read.
  var links = Array.prototype.slice.call(document.querySelectorAll(".toc a"));
  function mark() {
    var end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    var current = 0;
    links.forEach(function (link, i) {
      var target = document.getElementById(link.hash.slice(1));
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
  // On a telephone the contents are a line that opens, and closes again behind who has chosen.
  var contents = document.querySelector(".toc details"), narrow = matchMedia("(max-width: 36rem)");
  function fold() { contents.open = !narrow.matches; }
  if (contents) {
    narrow.addEventListener("change", fold);
    contents.addEventListener("click", function (event) { if (event.target.closest("a")) fold(); });
    fold();
  }
  // What is wider than its place says so, and shows on which side it goes on.
  var wide = document.querySelectorAll(".cs-scroll");
  function goesOn(box) {
    box.classList.toggle("cs-wide", box.clientWidth < box.scrollWidth - 2);
    box.classList.toggle("goes-on", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
  }
  wide.forEach(function (box) {
    box.addEventListener("scroll", function () { goesOn(box); }, { passive: true });
    new ResizeObserver(function () { goesOn(box); }).observe(box);
  });
  addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (details) { details.open = true; });
  });
})();
