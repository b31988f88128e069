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
    if (at > 0) {
      found = inputs[0];  // where there is no such segment any more
      inputs.forEach(function (input) {
        if (decoded(hash.slice(0, at)) === box.dataset.column && decoded(hash.slice(at + 1)) === input.dataset.value) found = input;
      });
    } else if (hash) {
      var target = document.getElementById(hash), view = target && target.closest(".view");
      inputs.forEach(function (input) { if (view && view.dataset.view === input.value) found = input; });
    }
    if (found && found !== now) {
      show(found, false);
      if (hash && at < 0) document.getElementById(hash).scrollIntoView();
    }
  }
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
