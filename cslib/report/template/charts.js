(function () {
  "use strict";
  // Charts: value, interval and n at the point that is nearest to the pointer, the finger or, with the arrow keys, the
  // last point; its line stands out. The page is complete without it.
  var tip = document.createElement("div");
  tip.className = "cs-tip";
  tip.hidden = true;
  document.body.appendChild(tip);
  var voice = document.createElement("div");
  voice.className = "cs-voice";
  voice.setAttribute("role", "status");
  document.body.appendChild(voice);
  var shown = null;

  var dot = document.createElement("div");
  dot.className = "cs-dot";
  dot.hidden = true;
  document.body.appendChild(dot);

  document.querySelectorAll("[data-points]").forEach(function (chart) {
    var points = told(chart);
    var region = chart.closest(".cs-scroll");
    var at = -1;

    function scale() {
      var box = chart.getBoundingClientRect();
      return { left: box.left, top: box.top, by: box.width / width(chart) };
    }
    function place(i) {
      var s = scale();
      return { x: s.left + points[i][0] * s.by, y: s.top + points[i][1] * s.by };
    }
    function nearest(x, y, series) {
      var best = -1, least = Infinity;
      points.forEach(function (point, i) {
        if (series !== undefined && point[3] !== series) return;
        var p = place(i), far = Math.pow(p.x - x, 2) + Math.pow(p.y - y, 2);
        if (far < least) { least = far; best = i; }
      });
      return best;
    }
    function show(i, aloud) {
      at = i;
      shown = hide;
      var lines = points[i][2].split("\n"), p = place(i);
      tip.textContent = "";
      lines.forEach(function (line, k) {
        var row = document.createElement(k ? "div" : "strong");
        row.textContent = line;
        tip.appendChild(row);
      });
      if (aloud) voice.textContent = lines.join(", ");
      var out = p.x < seen().left - 1 || p.x > seen().right + 1;  // scrolled away, or the chart's view is not shown
      tip.hidden = dot.hidden = out;
      if (out) return;
      var wide = tip.offsetWidth, high = tip.offsetHeight;
      var left = Math.max(4, Math.min(p.x - wide / 2, document.documentElement.clientWidth - wide - 4));
      var top = p.y - high - 14 < 4 ? p.y + 14 : p.y - high - 14;
      tip.style.left = left + scrollX + "px";
      tip.style.top = top + scrollY + "px";
      mark(p);
      fade(points[i][3]);
    }
    function seen() { return region.getBoundingClientRect(); }
    function reveal(i) {
      var x = place(i).x, own = seen();
      if (x < own.left + 8) region.scrollLeft -= own.left + 40 - x;
      if (x > own.right - 8) region.scrollLeft += x - own.right + 40;
    }
    function mark(p) {
      dot.style.left = p.x + scrollX + "px";
      dot.style.top = p.y + scrollY + "px";
    }
    function fade(series) {
      var others = chart.querySelectorAll("[data-s]"), several = new Set();
      others.forEach(function (part) { several.add(part.dataset.s); });
      others.forEach(function (part) {
        part.classList.toggle("cs-faded", series !== null && several.size > 1 && Number(part.dataset.s) !== series);
      });
    }
    function hide() {
      tip.hidden = dot.hidden = true;
      fade(null);
      shown = null;
      at = -1;
    }
    function pointed(event) {
      if (shown && shown !== hide) shown();
      var part = event.target.closest("[data-s]");
      var i = nearest(event.clientX, event.clientY, part ? Number(part.dataset.s) : undefined);
      if (i >= 0) show(i, false); else hide();
    }
    chart.addEventListener("pointermove", function (event) { if (event.pointerType !== "touch") pointed(event); });
    chart.addEventListener("click", pointed);
    chart.addEventListener("pointerleave", function (event) { if (event.pointerType !== "touch") hide(); });
    region.addEventListener("blur", hide);
    region.addEventListener("scroll", function () { if (at >= 0) show(at, false); });
    region.addEventListener("keydown", function (event) {
      var side = { ArrowRight: 1, ArrowLeft: -1 }[event.key], line = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape" && shown) return hide();
      if (!side && !line) return;
      event.preventDefault();
      if (shown && shown !== hide) shown();
      var next = at < 0 ? first(points) : side ? beside(at, side) : across(at, line);
      reveal(next);
      show(next, true);
    });
    function beside(i, way) {
      var own = points.map(function (p, k) { return k; }).filter(function (k) { return points[k][3] === points[i][3]; });
      return own[Math.max(0, Math.min(own.length - 1, own.indexOf(i) + way))];
    }
    function across(i, way) {
      var all = points.map(function (p) { return p[3]; });
      var series = all.filter(function (s, k) { return all.indexOf(s) === k; }).sort(function (a, b) { return a - b; });
      if (series.length < 2) return beside(i, way);
      var next = series[(series.indexOf(points[i][3]) + way + series.length) % series.length];
      function far(k) { return 1000 * Math.abs(points[k][0] - points[i][0]) + Math.abs(points[k][1] - points[i][1]); }
      return points.reduce(function (best, p, k) {  // the one above or below, however steep the lines
        return p[3] === next && (best < 0 || far(k) < far(best)) ? k : best;
      }, -1);
    }
  });

  addEventListener("resize", function () { if (shown) shown(); });
  addEventListener("keydown", function (event) { if (event.key === "Escape" && shown) shown(); });

  function told(chart) {  // a drawing for a telephone names points of the wide one by their number
    var slim = chart.closest(".cs-slim"), points = JSON.parse(chart.dataset.points);
    var wide = slim ? JSON.parse(slim.nextElementSibling.firstElementChild.dataset.points || "[]") : [];
    return points.map(function (p) { return p.length === 3 ? [p[0], p[1], wide[p[2]][2], wide[p[2]][3]] : p; });
  }
  function first(points) {
    return points.reduce(function (best, p, i) { return p[0] < points[best][0] ? i : best; }, 0);
  }
  function width(chart) {
    return chart.viewBox ? chart.viewBox.baseVal.width : Number(chart.dataset.width);
  }
})();
