(function () {
  "use strict";
  // Tables: sorted by a heading, searched, and filtered by columns of few words; without it the first rows are there.
  var STEP = 50, FEW = 12, LEAST = 16, SEVERAL = 5, TALL = 66, NOTHING = /^(|–|not measured)$/;
  var inOrder = new Intl.Collator("en", { numeric: true }).compare;
  var AMOUNT = /^(?:[<>≈]\s?)?(?:[A-Z]{3}\s)?(?:[+]|([−-]))?(\d[\d,]*(?:\.\d+)?)(?:\s(k|M|bn)(?!\w)|(?![\w.:\/-]))/;
  document.querySelectorAll(".cs-table:not([data-part])").forEach(function (box) {
    var table = box.querySelector("table"), body = table.tBodies[0];
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    var numeric = heads.map(function (head) { return head.classList.contains("cs-num"); });
    var kept = box.querySelector("script");
    var rows = kept ? unpacked(JSON.parse(kept.textContent)) : read(body);
    if (rows.length < 2) return;
    numeric.forEach(function (right, column) { if (!right) measured(column); });
    var first = body.rows.length, most = first, found = rows, foot = box.querySelector(".cs-count"), words = "";
    var columns = foot ? /(?:, [\d,]+ of [\d,]+ columns)?(?: shown)?$/.exec(foot.textContent)[0] : "";
    var chosen = {}, sorted = -1, down = false;
    var names = heads.map(function (head) { return head.textContent; });
    Array.prototype.forEach.call(body.rows, named);
    stacked(table.parentNode);

    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      wrap();
      addEventListener("beforeprint", function () { button.replaceWith.apply(button, Array.from(button.childNodes)); });
      addEventListener("afterprint", wrap);  // a heading with a button in it is not repeated on the pages that follow
      function wrap() {
        while (head.firstChild) button.appendChild(head.firstChild);
        head.appendChild(button);
      }
      button.addEventListener("click", function () { sort(column, sorted === column ? !down : numeric[column]); });
    });
    var order = orders();
    if (rows.length >= LEAST) seek(tools());

    function sort(column, falling) {
      sorted = column;
      down = falling;
      heads.forEach(function (head) { head.removeAttribute("aria-sort"); });
      if (column >= 0) heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
      order.value = column < 0 ? "" : column + (down ? " down" : " up");
      draw();
    }
    function orders() {  // where there are no headings to touch
      var select = document.createElement("select");
      select.className = "cs-order";
      select.setAttribute("aria-label", "Sort by");
      select.add(new Option("Sort by", ""));
      heads.forEach(function (head, column) {
        var ways = [["down", ends(column)[1]], ["up", ends(column)[0]]];
        if (!numeric[column]) ways.reverse();
        ways.forEach(function (way) { select.add(new Option(names[column] + ": " + way[1], column + " " + way[0])); });
      });
      select.addEventListener("change", function () {
        var way = select.value.split(" ");
        sort(select.value ? Number(way[0]) : -1, way[1] === "down");
      });
      return select;
    }
    function ends(column) {
      if (heads[column].className === "cs-day") return ["earliest first", "latest first"];
      var number = rows.some(function (row) { return typeof row.keys[column] === "number"; });
      return number ? ["lowest first", "highest first"] : ["A to Z", "Z to A"];
    }
    function named(row) {  // for where a cell stands apart from its heading
      Array.prototype.forEach.call(row.cells, function (cell, column) { cell.dataset.name = names[column]; });
      return row;
    }
    function stacked(place) {  // on a telephone, what does not fit beside the others stands below the name of its row
      new ResizeObserver(function () {
        var wide = place.clientWidth < place.scrollWidth - 2;
        var tall = Array.prototype.some.call(body.rows, function (row) { return row.offsetHeight > TALL; });
        if ((wide || tall) && matchMedia("(max-width: 36rem)").matches) {
          table.classList.add("cs-stacked");
          if (rows.length >= SEVERAL) tools().appendChild(order);
        }
      }).observe(place);
    }
    function measured(column) {  // texts that all begin with a number go by it: 999 before 1,204, and -4 before 3
      var keys = rows.map(function (row) { return row.keys[column] === null ? null : amount(row.keys[column]); });
      if (!keys.every(function (key) { return key === null || key === key; })) return;
      rows.forEach(function (row, i) { row.keys[column] = keys[i]; });
    }
    function tools() {
      var bar = box.querySelector(".cs-tools") || document.createElement("div");
      bar.className = "cs-tools";
      if (!bar.parentNode) box.insertBefore(bar, box.firstChild);
      return bar;
    }
    function seek(bar) {
      var input = document.createElement("input");
      input.type = "search";
      input.placeholder = "Search";
      input.setAttribute("aria-label", "Search in the table: " + table.caption.textContent);
      input.addEventListener("input", function () { words = plain(input.value.trim()); most = first; draw(); });
      bar.appendChild(input);
      heads.forEach(function (head, column) {
        var values = few(column);
        if (values) bar.appendChild(filter(head.textContent, column, values));
      });
    }
    function few(column) {
      var values = new Set();
      if (numeric[column]) return null;
      rows.forEach(function (row) { values.add(row.cells[column]); });
      var empty = rows.filter(function (row) { return row.cells[column] === "" || row.cells[column] === "–"; }).length;
      var fewer = values.size > 1 && values.size <= FEW && values.size <= rows.length / 3 && empty <= rows.length / 2;
      return fewer ? Array.from(values).sort() : null;
    }
    function filter(name, column, values) {
      var select = document.createElement("select");
      select.setAttribute("aria-label", name);
      select.add(new Option(name + ": all", ""));
      values.forEach(function (value, i) { select.add(new Option(value || "none", String(i + 1))); });
      select.addEventListener("change", function () {
        if (select.value) chosen[column] = values[Number(select.value) - 1]; else delete chosen[column];
        most = first;
        draw();
      });
      return select;
    }
    function fits(row) {
      return Object.keys(chosen).every(function (column) { return row.cells[column] === chosen[column]; })
        && (!words || row.cells.some(function (text) { return plain(text).indexOf(words) >= 0; }));
    }
    function draw() {
      found = rows.filter(fits);
      if (sorted >= 0) found.sort(function (a, b) { return compare(a.keys[sorted], b.keys[sorted]); });
      body.textContent = "";
      found.slice(0, most).forEach(function (row) { body.appendChild(row.drawn || (row.drawn = line(row))); });
      tell();
    }
    function compare(x, y) {
      if (x === null || y === null) return (x === null) - (y === null);  // missing values stay last
      var order = typeof x === "number" ? x - y : inOrder(x, y);
      return down ? -order : order;
    }
    function line(row) {
      var tr = document.createElement("tr");
      row.cells.forEach(function (text, column) {
        var td = document.createElement("td");
        td.textContent = text;
        if (numeric[column]) td.className = "cs-num"; else if (/^cs-(right|day)$/.test(heads[column].className)) td.className = heads[column].className; else if (text.length > 40) td.className = "cs-long";
        tr.appendChild(td);
      });
      return named(tr);
    }
    function tell() {
      if (!foot) return;
      var seen = Math.min(most, found.length), of = found.length.toLocaleString("en");
      foot.textContent = seen < found.length ? seen.toLocaleString("en") + " of " + of + " rows"
        : of + (found.length === 1 ? " row" : " rows");
      if (found.length < rows.length) foot.textContent += " found, of " + rows.length.toLocaleString("en");
      foot.textContent += columns;
      more.hidden = seen >= found.length;
    }
    var more = document.createElement("button");
    more.type = "button";
    more.className = "cs-more";
    more.textContent = "Show more";
    more.addEventListener("click", function () { most += STEP; draw(); });
    if (foot) {
      foot.setAttribute("role", "status");
      foot.parentNode.appendChild(more);
      more.hidden = first >= rows.length;
    }
  });
  function plain(text) { return text.toLowerCase().replace(/−/g, "-").replace(/\s/g, " ").replace(/(\d),(?=\d{3})/g, "$1"); }
  function amount(text) {
    var found = AMOUNT.exec(text), scale = { k: 1e3, M: 1e6, bn: 1e9 };
    if (!found) return NOTHING.test(text) ? null : /^(not reached|over half still here)/.test(text) ? Infinity : NaN;
    return (found[1] ? -1 : 1) * Number(found[2].replace(/,/g, "")) * (scale[found[3]] || 1);
  }
  function unpacked(data) {
    return data.rows.map(function (cells, i) {
      return { cells: cells, keys: cells.map(function (text, column) {
        return data.ranks[column] ? data.ranks[column][i] : text === "–" ? null : text;
      }) };
    });
  }
  function read(body) {
    return Array.prototype.map.call(body.rows, function (row) {
      var cells = Array.prototype.slice.call(row.cells);
      return { drawn: row, cells: cells.map(function (cell) { return cell.textContent; }), keys: cells.map(function (cell) {
        if (cell.classList.contains("cs-num")) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
        return cell.textContent === "–" ? null : cell.textContent;
      }) };
    });
  }
})();
