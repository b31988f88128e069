(function () {
  "use strict";
  // Segments: a switch shows the same report on another segment, and the address remembers which.
  var box = document.querySelector(".switch");
  if (!box) return;
  box.hidden = false;
  var inputs = Array.prototype.slice.call(box.querySelectorAll("input"));
  var views = document.querySelectorAll("[data-view]");
  var links = Array.prototype.slice.call(document.querySelectorAll(".toc a"));
  var now = inputs[0];
  var bases = links.map(function (link) { return link.hash.slice(1); });
  var away = elsewhere(), places = away.map(function (link) { return link.hash.slice(1); });
  var gone = box.parentNode.appendChild(document.createElement("span"));
  gone.className = "meta";
  gone.setAttribute("role", "status");

  function show(input, remember) {
    var reading = current(), gap = reading && reading.getBoundingClientRect().top;
    now = input;
    input.checked = true;
    views.forEach(function (view) { view.hidden = view.dataset.view !== input.value; });
    links.forEach(function (link, i) {
      var id = own(bases[i], input);
      link.setAttribute("href", "#" + id);
      link.parentNode.hidden = !document.getElementById(id);
    });
    away.forEach(function (link, i) {
      link.hash = places[i] ? own(places[i], input) : input === inputs[0] ? "" : address(input);
    });
    gone.textContent = "";
    var again = reading && document.getElementById(own(base(reading.id), input));
    if (again) scrollBy(0, again.getBoundingClientRect().top - gap);
    if (remember) history.replaceState(null, "", address(input));
    dispatchEvent(new Event("resize"));
  }
  function own(id, input) { return input.value === inputs[0].value ? id : input.value + "--" + id; }
  function base(id) { return id.slice(id.indexOf("--") < 0 ? 0 : id.indexOf("--") + 2); }
  function address(input) {
    var all = input === inputs[0];
    return all ? location.href.split("#")[0]
      : "#" + encodeURIComponent(box.dataset.column) + "=" + encodeURIComponent(input.dataset.value);
  }
  function elsewhere() {  // links to reports that have the same switch
    var same = Array.from(document.querySelectorAll(".bar a[data-column]"), function (link) {
      return link.dataset.column === box.dataset.column ? link.pathname : "";
    });
    return Array.from(document.querySelectorAll(".bar a, a[data-to]")).filter(function (link) {
      return link.pathname !== location.pathname && same.indexOf(link.pathname) >= 0;
    });
  }
  function current() {
    var best = null;
    document.querySelectorAll(".view:not([hidden]) > section").forEach(function (section) {
      if (section.getBoundingClientRect().top < innerHeight / 3) best = section;
    });
    return best;
  }
  function follow() {
    var hash = location.hash.slice(1), at = hash.indexOf("=");
    var found = hash ? null : inputs[0];
    var column = decoded(hash.slice(0, at)), value = decoded(hash.slice(at + 1)), target = null;
    if (at > 0) {
      found = only(function (input) { return column === box.dataset.column && value === input.dataset.value; })
        || only(function (input) { return alike(column, box.dataset.column) && alike(value, input.dataset.value); });
    } else if (hash) {
      target = document.getElementById(hash);
      var view = target && target.closest(".view"), name = view ? view.dataset.view : hash.split("--")[0];
      found = only(function (input) { return input.value === name; });
    }
    var lost = at > 0 && !found;
    if (lost) found = inputs[0];
    if (found && found !== now) {
      show(found, false);
      if (target) target.scrollIntoView();
    }
    var asked = [column, value].filter(Boolean).join(" ");
    gone.textContent = lost ? "There is no " + asked + " in this report: these are all customers." : "";
  }
  function alike(one, other) { return one.trim().toLowerCase() === other.trim().toLowerCase(); }
  function only(fits) { return inputs.filter(fits)[0] || null; }
  function decoded(text) { try { return decodeURIComponent(text); } catch (error) { return text; } }
  inputs.forEach(function (input) { input.addEventListener("change", function () { show(input, true); }); });
  addEventListener("hashchange", follow);
  addEventListener("resize", clear);
  function clear() {  // what a link leads to stands below the switch
    var high = getComputedStyle(box.parentNode).position === "sticky" ? box.parentNode.offsetHeight : 0;
    document.documentElement.style.setProperty("--stays", high + "px");
  }
  clear();
  follow();
  addEventListener("pageshow", function () { now.checked = true; });  // a browser may have put back another mark
})();
