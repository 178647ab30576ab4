/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The flame graph in the page. The tree comes as arrays in the order of a walk from the root: a subtree is a
 * range of nodes, so drawing and searching are loops that skip what is too narrow to be seen. Only what is
 * on the screen is drawn, on one canvas of the window's size. Text of strangers gets into the page as text
 * (textContent, fillText), never as HTML.
 */
"use strict";

(() => {
const ROW = 19; /* pixels */
const NARROWEST = 0.4;
const PAD = 4;
const FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';

const by = (id) => document.getElementById(id);
const data = JSON.parse(by("profile").textContent);
const canvas = by("canvas");
const context = canvas.getContext("2d");
const picture = by("picture");

/* The tree */

const count = data.frame.length;
const before = data.before; /* absent unless the page shows a difference */
const parent = new Int32Array(count);
const end = new Int32Array(count).fill(count); /* the first node behind the subtree */
const weight = new Float64Array(count);
const left = new Float64Array(count); /* in units of weight */
let deepest = 0;

function layOut() {
	const path = []; /* by depth: the node, and where its next child begins */
	const next = [];

	for (let i = 0; i < count; i++) {
		const depth = data.depth[i];

		for (let d = depth; d < path.length; d++)
			end[path[d]] = i;
		path.length = depth + 1;
		path[depth] = i;
		parent[i] = depth > 0 ? path[depth - 1] : 0;
		weight[i] = data.total[i] + (before ? before.total[i] : 0);
		left[i] = depth > 0 ? next[depth - 1] : 0;
		next[depth] = left[i];
		if (depth > 0)
			next[depth - 1] += weight[i];
		deepest = Math.max(deepest, depth);
	}
}

function siblings(node) {
	const all = [];

	if (node === 0)
		return [0];
	for (let i = parent[node] + 1; i < end[parent[node]]; i = end[i])
		all.push(i);
	return all;
}

/* Numbers and words */

function percent(part, of) {
	return of > 0 ? (100 * part / of).toFixed(2) + "%" : "0%";
}

function scaled(value, base, units) {
	let unit = 0;

	while (unit < units.length - 1 && value >= base) {
		value /= base;
		unit++;
	}
	return `${unit > 0 ? value.toPrecision(3) : value} ${units[unit]}`.trim();
}

function amount(value) {
	if (data.unit === "nanoseconds")
		return value < 1e9 ? scaled(value, 1000, ["ns", "\u00b5s", "ms"]) :
		       value < 120e9 ? (value / 1e9).toPrecision(3) + " s" :
				       (value / 60e9).toFixed(1) + " min";
	if (data.unit === "bytes")
		return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
	return value.toLocaleString("en");
}

function nameOf(node) {
	return data.names[data.frame[node]];
}

function sourceOf(node) {
	const frame = data.frame[node];
	const file = data.strings[data.files[frame]];

	return file && data.lines[frame] ? `${file}:${data.lines[frame]}` : file;
}

function moduleOf(node) {
	return data.strings[data.modules[data.frame[node]]];
}

function sumsOf(node) {
	const share = `${amount(data.total[node])}, ${percent(data.total[node], data.total[0])}`;
	const samples = `${data.samples[node].toLocaleString("en")} samples`;

	if (before) {
		const was = percent(before.total[node], before.total[0]);
		const change = 100 * (data.total[node] / (data.total[0] || 1) -
				      before.total[node] / (before.total[0] || 1));

		return [`now ${share}, ${samples}`,
			`before ${amount(before.total[node])}, ${was}, ` +
				`${before.samples[node].toLocaleString("en")} samples`,
			`change ${change >= 0 ? "+" : "\u2212"}${Math.abs(change).toFixed(2)} points`];
	}
	return [`${share}, ${samples}`,
		`itself ${amount(data.self[node])}, ${percent(data.self[node], data.total[0])}`];
}

/* What is shown */

const view = {
	zoom: 0,
	selected: -1,
	hovered: -1,
	flames: false, /* the root at the bottom */
	matches: null, /* by frame, while there is a search */
};
let colors = {};

function readColors() {
	const style = getComputedStyle(document.documentElement);

	for (const name of ["back", "text", "faint", "frame-text", "frame-lightness", "frame-saturation",
			    "match", "less", "same", "more", "accent"])
		colors[name] = style.getPropertyValue("--" + name).trim();
	fills.clear();
}

/* "#rrggbb" to three numbers */
function parts(color) {
	return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

function mix(from, to, share) {
	const a = parts(from), b = parts(to);

	return `rgb(${a.map((x, i) => Math.round(x + (b[i] - x) * share)).join(" ")})`;
}

function hueOf(text) {
	let hash = 2166136261;

	for (let i = 0; i < text.length; i++)
		hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
	hash ^= hash >>> 15;
	return (hash >>> 0) % 360;
}

/* The kernel is warm; each module of a program has a hue of its own, from green to violet. What is left is
 * for what a search found. */
function moduleFill(module) {
	const hue = module.startsWith("[") ? 18 + hueOf(module) % 22 : 70 + hueOf(module) * 200 / 360;

	return `hsl(${hue.toFixed(0)} ${colors["frame-saturation"]} ${colors["frame-lightness"]})`;
}

const fills = new Map();

function fillOf(node) {
	const module = moduleOf(node);

	if (view.matches && view.matches[data.frame[node]])
		return colors.match;
	if (before) {
		const now = data.total[node] / (data.total[0] || 1);
		const was = before.total[node] / (before.total[0] || 1);
		const change = now + was > 0 ? (now - was) / (now + was) : 0;
		const much = Math.abs(change);

		return mix(colors.same, change > 0 ? colors.more : colors.less, much * (2 - much));
	}
	if (node === 0 || !module)
		return colors.same;
	if (!fills.has(module))
		fills.set(module, moduleFill(module));
	return fills.get(module);
}

/* Drawing */

let width = 0, height = 0, letter = 7, queued = false;

function rowTop(depth) {
	return (view.flames ? deepest - depth : depth) * ROW - picture.scrollTop;
}

function xOf(node) {
	return (left[node] - left[view.zoom]) * width / (weight[view.zoom] || 1);
}

function widthOf(node) {
	return weight[node] * width / (weight[view.zoom] || 1);
}

function drawText(node, x, y, w) {
	const name = nameOf(node);
	const room = Math.floor((w - 2 * PAD) / letter);

	if (room < 3)
		return;
	context.fillStyle = colors["frame-text"];
	context.fillText(name.length > room ? name.slice(0, room - 1) + "\u2026" : name, x + PAD,
			 y + ROW / 2, w - 2 * PAD);
}

function drawNode(node, x, w) {
	const y = rowTop(data.depth[node]);
	const shown = Math.max(w - (w > 3 ? 1 : 0), 0.5);

	if (y <= -ROW || y >= height)
		return;
	context.fillStyle = fillOf(node);
	context.fillRect(x, y, shown, ROW - 1);
	drawText(node, x, y, w);
	if (node === view.selected || node === view.hovered) {
		context.strokeStyle = node === view.selected ? colors.accent : colors.text;
		context.lineWidth = node === view.selected ? 2 : 1;
		context.strokeRect(x + 1, y + 1, Math.max(shown - 2, 1), ROW - 3);
	}
}

/* What is above the zoomed node is as wide as it. */
function drawAncestors() {
	context.globalAlpha = 0.55;
	for (let i = view.zoom; i !== 0;) {
		i = parent[i];
		drawNode(i, 0, width);
	}
	context.globalAlpha = 1;
}

function drawSubtree() {
	/* Rows below the window, as far as depth tells. */
	const below = view.flames ? Infinity : (picture.scrollTop + height) / ROW;

	for (let i = view.zoom; i < end[view.zoom];) {
		const w = widthOf(i);

		if (w < NARROWEST || data.depth[i] > below) {
			i = end[i];
			continue;
		}
		context.globalAlpha = view.matches && !view.matches[data.frame[i]] ? 0.45 : 1;
		drawNode(i, xOf(i), w);
		i++;
	}
	context.globalAlpha = 1;
}

function draw() {
	queued = false;
	context.font = FONT;
	context.textBaseline = "middle";
	context.clearRect(0, 0, width, height);
	drawAncestors();
	drawSubtree();
}

function redraw() {
	if (!queued)
		requestAnimationFrame(draw);
	queued = true;
}

function resize() {
	const ratio = window.devicePixelRatio || 1;

	by("space").style.height = `${(deepest + 1) * ROW}px`;
	width = picture.clientWidth;
	height = Math.min(picture.clientHeight, (deepest + 1) * ROW);
	canvas.style.width = `${width}px`;
	canvas.style.height = `${height}px`;
	canvas.width = Math.round(width * ratio);
	canvas.height = Math.round(height * ratio);
	context.setTransform(ratio, 0, 0, ratio, 0, 0);
	context.font = FONT;
	letter = context.measureText("0").width;
	redraw();
}

/* Finding: by place, by walking */

function nodeAt(x, y) {
	const row = Math.floor((y + picture.scrollTop) / ROW);
	const depth = view.flames ? deepest - row : row;
	const zoomDepth = data.depth[view.zoom];

	if (depth < 0 || depth > deepest)
		return -1;
	if (depth <= zoomDepth) {
		let node = view.zoom;

		while (data.depth[node] > depth)
			node = parent[node];
		return node;
	}
	for (let i = view.zoom; i < end[view.zoom];) {
		const from = xOf(i), w = widthOf(i);

		if (x < from || x >= from + w || w < NARROWEST)
			i = end[i];
		else if (data.depth[i] === depth)
			return i;
		else
			i++;
	}
	return -1;
}

function showDetails(node) {
	by("details").textContent = node < 0 ? "" :
		[nameOf(node), moduleOf(node), sourceOf(node), ...sumsOf(node)].filter(Boolean).join(" \u00b7 ");
}

function scrollTo(node) {
	const top = rowTop(data.depth[node]);

	if (top < 0 || top + ROW > height)
		picture.scrollTop += top - height / 2;
}

function select(node) {
	view.selected = node;
	showDetails(node);
	if (node >= 0)
		scrollTo(node);
	redraw();
}

function zoom(node) {
	view.zoom = node;
	by("reset").disabled = node === 0;
	select(node);
}

function reset() {
	by("search").value = "";
	search();
	zoom(0);
}

function turn() {
	view.flames = !view.flames;
	by("turn").setAttribute("aria-pressed", String(view.flames));
	picture.scrollTop = view.flames ? picture.scrollHeight : 0;
	redraw();
}

/* Search */

function matchedSum(total) {
	let sum = 0;

	for (let i = 0; i < count;) {
		if (view.matches[data.frame[i]]) {
			sum += total[i];
			i = end[i];
		} else {
			i++;
		}
	}
	return sum;
}

function compile(text) {
	/* Capitals are meant where there are any. */
	try {
		return new RegExp(text, text === text.toLowerCase() ? "iu" : "u");
	} catch {
		return null;
	}
}

function search() {
	const input = by("search"), text = input.value;
	const pattern = text ? compile(text) : null;

	input.setAttribute("aria-invalid", String(Boolean(text) && !pattern));
	view.matches = pattern &&
		data.names.map((name, i) => pattern.test(name) || pattern.test(data.strings[data.modules[i]]));
	if (view.matches)
		by("matched").textContent = before ?
			`now ${percent(matchedSum(data.total), data.total[0])}, before ` +
				percent(matchedSum(before.total), before.total[0]) :
			`${percent(matchedSum(data.total), data.total[0])} matched`;
	else
		by("matched").textContent = text ? "not a regular expression" : "";
	redraw();
}

/* Mouse and keyboard */

function line(text, faint) {
	const div = document.createElement("div");

	div.textContent = text;
	if (faint)
		div.className = "faint";
	return div;
}

function showTooltip(node, x, y) {
	const tooltip = by("tooltip");

	tooltip.hidden = node < 0;
	if (node < 0)
		return;
	tooltip.replaceChildren(line(nameOf(node)), ...sumsOf(node).map((text) => line(text)),
		...[sourceOf(node), moduleOf(node)].filter(Boolean).map((text) => line(text, true)));
	tooltip.style.left = `${Math.max(0, Math.min(x + 14, innerWidth - tooltip.offsetWidth - 8))}px`;
	tooltip.style.top = `${y + 18 + tooltip.offsetHeight > innerHeight ? y - tooltip.offsetHeight - 10 :
									     y + 18}px`;
}

function hover(event) {
	const box = canvas.getBoundingClientRect();
	const node = nodeAt(event.clientX - box.left, event.clientY - box.top);

	showTooltip(node, event.clientX, event.clientY);
	if (node !== view.hovered) {
		view.hovered = node;
		redraw();
	}
}

function leave() {
	view.hovered = -1;
	showTooltip(-1);
	redraw();
}

function click(event) {
	const box = canvas.getBoundingClientRect();
	const node = nodeAt(event.clientX - box.left, event.clientY - box.top);

	if (node >= 0)
		zoom(node);
}

function step(key) {
	const node = view.selected < 0 ? view.zoom : view.selected;
	const inward = view.flames ? "ArrowUp" : "ArrowDown";

	if (view.selected < 0)
		return node;
	if (key === "ArrowLeft" || key === "ArrowRight") {
		const all = siblings(node);
		const at = all.indexOf(node) + (key === "ArrowRight" ? 1 : -1);

		return all[Math.max(0, Math.min(at, all.length - 1))];
	}
	if (key === inward)
		return node + 1 < end[node] ? node + 1 : node;
	return parent[node];
}

function press(event) {
	if (event.ctrlKey || event.altKey || event.metaKey)
		return;
	if (event.key === "Escape") {
		reset();
		picture.focus();
	} else if (event.target === by("search")) {
		return;
	} else if (event.key === "/") {
		by("search").focus();
	} else if (event.key === "i") {
		turn();
	} else if (event.target !== picture) {
		return;
	} else if (event.key.startsWith("Arrow")) {
		select(step(event.key));
	} else if (event.key === "Enter" && view.selected >= 0) {
		zoom(view.selected);
	} else {
		return;
	}
	event.preventDefault();
}

function begin() {
	layOut();
	readColors();
	document.title = data.title;
	by("title").textContent = data.title;
	by("subtitle").textContent = data.subtitle;
	by("legend").hidden = !before;
	picture.setAttribute("aria-label", data.title);
	for (const text of data.totals) {
		const p = line(text);

		p.className = "totals";
		document.querySelector("footer").append(p);
	}
	new ResizeObserver(resize).observe(picture);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
		readColors();
		redraw();
	});
	picture.addEventListener("scroll", redraw);
	canvas.addEventListener("mousemove", hover);
	canvas.addEventListener("mouseleave", leave);
	canvas.addEventListener("click", click);
	by("reset").addEventListener("click", reset);
	by("turn").addEventListener("click", turn);
	by("search").addEventListener("input", search);
	document.addEventListener("keydown", press);
	resize();
}

begin();
})();
