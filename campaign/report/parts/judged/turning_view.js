// Bead traces that a person turns: one canvas, no library, nothing is fetched.
(() => {
  "use strict";
  const STOPS = [[43, 92, 196], [26, 150, 160], [104, 172, 64], [226, 165, 0], [205, 60, 46]];
  const GREY = [150, 160, 170], WHITE = [255, 255, 255], PIECES = 6;
  const mix = (a, b, t) => a.map((v, k) => v + (b[k] - v) * t);
  const css = (c) => `rgb(${c.map(Math.round).join(",")})`;
  const along = (t) => {
    const at = Math.min(Math.max(t, 0), 1) * (STOPS.length - 1), k = Math.min(Math.floor(at), STOPS.length - 2);
    return mix(STOPS[k], STOPS[k + 1], at - k);
  };

  function start(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const canvas = figure.querySelector("canvas"), pen = canvas.getContext("2d");
    const slider = figure.querySelector("input[type=range]"), native = figure.querySelector("input[type=checkbox]");
    const play = figure.querySelector(".play"), pointers = new Map();
    const last = Math.max(1, ...data.sets.map((s) => s.frames.length - 1));
    const neighbours = data.tones.map((_, i) => data.bonds.flatMap(([a, b]) => (a === i ? [b] : b === i ? [a] : [])));
    let turn, zoom, playing = 0, pinch = 0, waiting = false;
    slider.max = last;

    function rotate(right, up) { // radians about the screen's vertical and level axes
      const [a, b, c, d] = [Math.cos(right), Math.sin(right), Math.cos(up), Math.sin(up)];
      turn = turn.map(([x, y, z]) => [a * x + b * z, c * y - d * (a * z - b * x), d * y + c * (a * z - b * x)]);
      redraw();
    }
    const shown = (set) => set.frames[Math.round(slider.value / last * (set.frames.length - 1))];
    function reset() { turn = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]; zoom = 1; redraw(); }
    function scaleBy(factor) { zoom = Math.min(8, Math.max(0.4, zoom * factor)); redraw(); }
    function redraw() {
      if (!waiting) requestAnimationFrame(() => { waiting = false; draw(); });
      waiting = true;
    }
    const points = (xyz) => data.tones.map((_, i) => [0, 1, 2].map((k) =>
      (xyz[3 * i] * turn[0][k] + xyz[3 * i + 1] * turn[1][k] + xyz[3 * i + 2] * turn[2][k]) / 100));

    function trace(beads, scale, grey) { // strokes and balls, each with its depth
      const parts = [], wide = Math.min(11, Math.max(2, 0.2 * data.bond * scale)) * (grey ? 0.5 : 1);
      const shade = (t, z) => css(mix(grey ? GREY : along(t), WHITE, Math.min(0.6, Math.max(0, 0.3 - 0.3 * z / data.half)) + (grey ? 0.2 : 0)));
      data.bonds.forEach(([i, j], b) => {
        const p = beads[i], q = beads[j], apart = Math.hypot(...p.map((v, k) => v - q[k]));
        if (apart > data.stretched * data.lengths[b]) // broken
          return parts.push({ z: (p[2] + q[2]) / 2, at: [p, q], wide: 1.2, colour: "#c0392b", dash: [3, 4] });
        const beyond = (k, other) => (neighbours[k].length === 2 ? beads[neighbours[k].find((m) => m !== other)] : beads[k]);
        const o = beyond(i, j), r = beyond(j, i);
        const curve = Array.from({ length: PIECES + 1 }, (_, n) => { // Catmull-Rom
          const t = n / PIECES;
          return p.map((_, k) => 0.5 * (2 * p[k] + (q[k] - o[k]) * t + (2 * o[k] - 5 * p[k] + 4 * q[k] - r[k]) * t * t
            + (3 * p[k] - o[k] - 3 * q[k] + r[k]) * t * t * t));
        });
        for (let n = 0; n < PIECES; n++) {
          const z = (curve[n][2] + curve[n + 1][2]) / 2 - (grey ? 0.4 * data.bond : 0), t = data.tones[i] + (data.tones[j] - data.tones[i]) * (n + 0.5) / PIECES;
          parts.push({ z, at: [curve[n], curve[n + 1]], wide, colour: shade(t, z), halo: !grey });
        }
      });
      if (!grey) beads.forEach((p, i) => parts.push({ z: p[2] + 0.15 * data.bond, at: [p], wide: 0.78 * wide, colour: shade(data.tones[i], p[2]) }));
      return parts;
    }

    function draw() {
      const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, n = data.sets.length;
      const columns = Math.min(n, Math.max(1, Math.floor(width / 175))), side = width / columns;
      const tall = Math.min(side, 330), rows = Math.ceil(n / columns);
      canvas.style.height = `${tall * rows}px`;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(tall * rows * ratio);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.lineJoin = pen.lineCap = "round";
      const scale = zoom * 0.5 * Math.min(side - 16, tall - 40) / data.half;
      data.sets.forEach((set, k) => {
        const x0 = (k % columns) * side, y0 = Math.floor(k / columns) * tall;
        const frame = shown(set);
        pen.save();
        pen.beginPath(); pen.rect(x0, y0, side, tall); pen.clip();
        const place = ([x, y]) => [x0 + side / 2 + scale * x, y0 + tall / 2 - scale * y];
        const beads = frame.xyz && points(frame.xyz), parts = beads ? trace(beads, scale, false) : [];
        if (native && native.checked) parts.push(...trace(points(data.native), scale, true));
        for (const part of parts.sort((a, b) => a.z - b.z)) stroke(part, place);
        write("600 14px", set.colour, set.name, x0 + 8, y0 + 20);
        write("12.5px", "#5f6c7b", frame.label, x0 + 8, y0 + tall - 9);
        if (beads) ["N", "C"].forEach((end, m) => {
          const [x, y] = place(beads[m ? beads.length - 1 : 0]);
          pen.fillText(end, x + 7, y - 7);
        });
        pen.restore();
      });
      const bar = [50, 20, 10, 5, 2, 1, 0.5].find((l) => l * scale < 0.3 * side) || 0.2;
      pen.strokeStyle = "#1f2933"; pen.lineWidth = 1.8;
      pen.beginPath(); pen.moveTo(width - 8 - bar * scale, 16); pen.lineTo(width - 8, 16); pen.stroke();
      write("12.5px", "#1f2933", `${bar} Å`, width - 40, 32);
      figure.dataset.drawn = slider.value;
      slider.setAttribute("aria-valuetext", data.sets.map((s) => `${s.name} ${shown(s).label}`).join("; "));
    }
    function write(size, colour, text, x, y) {
      pen.font = `${size} system-ui, sans-serif`;
      pen.fillStyle = colour;
      pen.fillText(text, x, y);
    }
    function stroke(part, place) {
      const at = part.at.map(place), line = (wide, colour, cap) => {
        pen.lineWidth = wide; pen.strokeStyle = colour; pen.lineCap = cap;
        pen.beginPath(); pen.moveTo(...at[0]); pen.lineTo(...at[1]); pen.stroke();
      };
      pen.setLineDash(part.dash || []);
      if (at.length > 1) {
        if (part.halo) line(part.wide + 3, "#fff", "butt");
        return line(part.wide, part.colour, "round");
      }
      pen.beginPath(); pen.arc(...at[0], part.wide, 0, 7);
      pen.fillStyle = part.colour; pen.fill();
      pen.lineWidth = 1; pen.strokeStyle = "#fff"; pen.stroke();
    }

    canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); pointers.set(e.pointerId, [e.clientX, e.clientY]); pinch = 0; });
    for (const gone of ["pointerup", "pointercancel"]) canvas.addEventListener(gone, (e) => { pointers.delete(e.pointerId); pinch = 0; });
    canvas.addEventListener("pointermove", (e) => {
      const before = pointers.get(e.pointerId);
      if (!before) return;
      pointers.set(e.pointerId, [e.clientX, e.clientY]);
      if (pointers.size === 1) return rotate((e.clientX - before[0]) / 120, (e.clientY - before[1]) / 120);
      const [a, b] = [...pointers.values()], apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (pinch) scaleBy(apart / pinch);
      pinch = apart;
    });
    canvas.addEventListener("wheel", (e) => { // before a click the wheel still scrolls the page
      if (document.activeElement !== canvas) return;
      e.preventDefault();
      scaleBy(Math.exp(-e.deltaY / 500));
    }, { passive: false });
    const keys = { ArrowLeft: () => rotate(-0.12, 0), ArrowRight: () => rotate(0.12, 0), ArrowUp: () => rotate(0, -0.12),
      ArrowDown: () => rotate(0, 0.12), "+": () => scaleBy(1.15), "=": () => scaleBy(1.15), "-": () => scaleBy(1 / 1.15), Home: reset };
    canvas.addEventListener("keydown", (e) => { if (keys[e.key] && !e.ctrlKey && !e.metaKey) { e.preventDefault(); keys[e.key](); } });
    slider.addEventListener("input", redraw);
    if (native) native.addEventListener("change", redraw);
    figure.querySelector(".reset").addEventListener("click", reset);
    play.addEventListener("click", () => {
      playing = playing ? clearInterval(playing) || 0 : setInterval(() => { slider.value = (Number(slider.value) + 1) % (last + 1); redraw(); }, 120);
      play.textContent = playing ? "Pause" : "Play";
    });
    new ResizeObserver(redraw).observe(canvas);
    reset();
  }

  const seen = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((e) => {
    seen.unobserve(e.target); // read and drawn only once the reader comes near
    start(e.target);
  }), { rootMargin: "400px" });
  document.querySelectorAll("figure.turning").forEach((figure) => { figure.hidden = false; seen.observe(figure); });
})();
