() => {
  // Every visible text whose contrast with what lies behind it is below 4.5, as [text, ratio, colour, ground].
  const channels = colour => (colour.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (top, below) => {
    const a = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a));
  };
  const light = c => {
    const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (x, y) => (Math.max(light(x), light(y)) + 0.05) / (Math.min(light(x), light(y)) + 0.05);
  const ground = element => {
    const stack = [];
    for (let e = element; e; e = e.parentElement) stack.push(channels(getComputedStyle(e).backgroundColor));
    return stack.reverse().reduce((below, colour) => colour.length > 3 && !colour[3] ? below : over(colour, below), [255, 255, 255]);
  };
  const behind = text => {
    const box = text.getBoundingClientRect(), svg = text.ownerSVGElement;
    let colour = ground(svg);
    for (const shape of svg.querySelectorAll("path, rect, circle")) {
      if (!(text.compareDocumentPosition(shape) & Node.DOCUMENT_POSITION_PRECEDING)) continue;
      const style = getComputedStyle(shape);
      if (style.fill === "none" || shape.closest("defs")) continue;
      const at = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2).matrixTransform(shape.getScreenCTM().inverse());
      if (shape.isPointInFill(at)) colour = over([...channels(style.fill).slice(0, 3), style.fillOpacity * style.opacity], colour);
    }
    return colour;
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, said = texts.currentNode.data.trim();
    if (!said || element.closest("script, style, [hidden]") || !element.getClientRects().length) continue;
    const drawn = element.closest("svg text"), style = getComputedStyle(element);
    const colour = channels(drawn ? style.fill : style.color), below = drawn ? behind(drawn) : ground(element);
    const found = ratio(over(colour, below), below);
    if (found < 4.5) faint.push([said.slice(0, 40), Number(found.toFixed(2)), colour.join(), below.map(Math.round).join()]);
  }
  return faint;
}
