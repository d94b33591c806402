// What the script adds to pages that work without it. Nothing here is needed to read or change anything.
// Order: proofs (pure, exported for tests), then one function per improvement, then the start.

const text = new TextEncoder();
const decodeBase64 = (word) => Uint8Array.from(atob(word), (c) => c.charCodeAt(0));
export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const sha256 = async (...parts) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
};

// RFC 6962 section 2.1: leaves are hashed after 0x00, inner nodes after 0x01.
export const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
export const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** Splits a C2SP tlog-proof. Throws with a sentence when the text is not one. */
export function parseProof(source) {
  const cut = source.indexOf('\n\n');
  if (cut < 0) throw new Error('The proof has no checkpoint.');
  const lines = source.slice(0, cut).split('\n');
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1') throw new Error('This is not a tlog-proof, version 1.');
  if (lines[0]?.startsWith('extra ')) lines.shift();
  const found = /^index (0|[1-9][0-9]*)$/.exec(lines.shift() ?? '');
  if (!found) throw new Error('The proof has no index.');
  const hashes = lines.map(hashLine);
  return { index: BigInt(found[1]), hashes, checkpoint: parseCheckpoint(source.slice(cut + 2)) };
}

function hashLine(line) {
  const bytes = decodeBase64(line);
  if (bytes.length !== 32) throw new Error('A hash is not 32 bytes long.');
  return bytes;
}

/** Splits a C2SP checkpoint (a signed note). */
export function parseCheckpoint(note) {
  const cut = note.indexOf('\n\n');
  if (cut < 0) throw new Error('The checkpoint has no signature.');
  const [origin, size, root] = note.slice(0, cut).split('\n');
  if (!origin || !/^(0|[1-9][0-9]*)$/.test(size ?? '')) throw new Error('The checkpoint is malformed.');
  const signatures = note.slice(cut + 2).split('\n').filter((line) => line.startsWith('\u2014 ')).map((line) => {
    const space = line.lastIndexOf(' ');
    const bytes = decodeBase64(line.slice(space + 1));
    return { name: line.slice(2, space), keyId: hex(bytes.slice(0, 4)), signature: bytes.slice(4) };
  });
  return { origin, size: BigInt(size), root: hashLine(root ?? ''), signed: note.slice(0, cut + 1), signatures };
}

/** The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2), and each step. Throws when it cannot be. */
export async function rootFromInclusion(leaf, index, size, hashes) {
  if (index >= size) throw new Error('The index lies outside the tree.');
  let [node, last, current] = [index, size - 1n, leaf];
  const steps = [];
  for (const hash of hashes) {
    if (last === 0n) throw new Error('The proof is too long.');
    const left = (node & 1n) === 1n || node === last;
    current = left ? await nodeHash(hash, current) : await nodeHash(current, hash);
    steps.push({ left, with: hash, to: current });
    if (left) while ((node & 1n) === 0n && node !== 0n) { node >>= 1n; last >>= 1n; }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new Error('The proof is too short.');
  return { root: current, steps };
}

/** Whether the checkpoint bears a signature of this Ed25519 verifier key: true, false, or null when this browser cannot say. */
export async function signatureHolds(checkpoint, verifierKey) {
  const [name, keyId, ...rest] = verifierKey.split('+');
  const key = decodeBase64(rest.join('+'));
  if (key.length !== 33 || key[0] !== 1) return null;
  if (hex(await sha256(text.encode(name + '\n'), key)).slice(0, 8) !== keyId) return false;
  const mine = checkpoint.signatures.filter((s) => s.name === name && s.keyId === keyId);
  try {
    const held = await crypto.subtle.importKey('raw', key.slice(1), 'Ed25519', false, ['verify']);
    for (const { signature } of mine) {
      if (await crypto.subtle.verify('Ed25519', held, signature, text.encode(checkpoint.signed))) return true;
    }
  } catch { return null; }
  return false;
}

/** The whole check; calls `say` with a sentence per step and returns { held, signed }. */
export async function verifyInclusion(entry, proofText, expected, say) {
  const proof = parseProof(proofText);
  if (expected.index !== undefined && BigInt(expected.index) !== proof.index) throw new Error('The proof is for another index.');
  const leaf = await leafHash(entry);
  say(`Hashed ${entry.length} sealed bytes to leaf ${hex(leaf)}.`);
  if (expected.leaf && expected.leaf !== hex(leaf)) throw new Error('The leaf hash is not the one this page shows.');
  const { checkpoint } = proof;
  const { root, steps } = await rootFromInclusion(leaf, proof.index, checkpoint.size, proof.hashes);
  for (const step of steps) say(`With ${hex(step.with)} on the ${step.left ? 'left' : 'right'}: ${hex(step.to)}.`);
  const held = hex(root) === hex(checkpoint.root);
  say(`Checkpoint of ${checkpoint.origin}, ${checkpoint.size} entries, root ${hex(checkpoint.root)}: ${held ? 'the same root' : 'another root'}.`);
  const signed = expected.verifierKey ? await signatureHolds(checkpoint, expected.verifierKey) : null;
  if (signed !== null) say(signed ? 'The signature of the log on the checkpoint holds.' : 'The checkpoint bears no valid signature of the log.');
  return { held, signed };
}

const all = (selector, root = document) => root.querySelectorAll(selector);
const on = (target, type, act) => target.addEventListener(type, act);
const made = (tag, content, className = '') => Object.assign(document.createElement(tag), { textContent: content, className });

function proofs() {
  for (const panel of all('[data-verify]')) {
    const button = panel.querySelector('.verify');
    if (!button || button.dataset.ready) continue;
    button.dataset.ready = '1';
    button.hidden = false;
    on(button, 'click', () => verifyPanel(panel, button));
  }
}

async function verifyPanel(panel, button) {
  const [list, result] = [panel.querySelector('.proof-steps'), panel.querySelector('.proof-result')];
  const finish = (tone, words) => { result.className = `proof-result ${tone}`; result.textContent = words; result.hidden = false; };
  list.replaceChildren();
  list.hidden = false;
  button.disabled = true;
  try {
    if (!globalThis.crypto?.subtle) throw new Error('This browser only computes hashes on pages served over TLS.');
    const base = `/api/v1/events/${encodeURIComponent(panel.dataset.verify)}`;
    const load = async (part) => {
      const answer = await fetch(`${base}/${part}`, { credentials: 'same-origin', cache: 'no-store' });
      if (!answer.ok) throw new Error(`The server answered ${answer.status} for the ${part}.`);
      return answer;
    };
    const [proof, entry] = await Promise.all([load('proof').then((a) => a.text()), load('entry').then((a) => a.arrayBuffer())]);
    const { index, leaf, vkey } = panel.dataset;
    const say = (words) => list.append(made('li', words));
    const { held, signed } = await verifyInclusion(new Uint8Array(entry), proof, { index, leaf, verifierKey: vkey }, say);
    if (!held) finish('t-bad', '✗ Not proven: these bytes do not lead to the root of the checkpoint.');
    else if (signed === false) finish('t-bad', '✗ Not proven: the checkpoint is not signed by this log.');
    else if (signed) finish('t-seal', '✓ Proven: these bytes are in the log, under its signature.');
    else finish('t-good', '✓ These bytes are in the tree of this checkpoint. Its signature was not checked here: use “chancery verify”.');
  } catch (trouble) {
    finish('t-bad', `✗ Not proven: ${trouble.message}`);
  } finally {
    button.disabled = false;
  }
}

/** Shows times in the zone that was chosen; UTC is what the server wrote. */
function times(root = document) {
  const local = document.documentElement.dataset.zone === 'local';
  for (const time of all('time[datetime]', root)) {
    if (time.dataset.shape === 'relative') continue;
    const zone = time.querySelector('.zone');
    time.dataset.utc ??= time.firstChild.data;
    const at = new Date(time.dateTime);
    const whole = local ? localText(at) : time.dataset.utc;
    time.firstChild.data = local && time.dataset.shape === 'date' ? whole.slice(0, 10) : whole;
    if (zone) zone.textContent = local ? offsetText(at) : 'UTC';
  }
}

const two = (number) => String(number).padStart(2, '0');
const localText = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} `;
export function offsetText(at) {
  const minutes = -at.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '−' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function preferences() {
  for (const form of all('form[data-preference]')) {
    on(form, 'submit', (event) => {
      const button = event.submitter;
      if (!button?.name) return;
      event.preventDefault();
      const secure = location.protocol === 'https:' ? '; Secure' : '';
      document.cookie = `${button.name}=${button.value}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
      document.documentElement.dataset[button.name] = button.value;
      for (const other of all(`form[data-preference] button[name=${button.name}]`)) other.setAttribute('aria-pressed', String(other.value === button.value));
      times();
    });
  }
}

const typing = (target) => target.closest?.('input, textarea, select, [contenteditable], dialog[open]');

function keys() {
  on(document, 'keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === 'Escape') for (const menu of all('details.menu[open]')) { menu.open = false; menu.querySelector('summary').focus(); }
    if (typing(event.target)) return;
    const act = {
      '/': () => (document.querySelector('[data-search]') ?? document.querySelector('[data-search-global]'))?.focus(),
      '?': () => document.getElementById('keys')?.showModal(),
      '.': () => document.querySelector('.live-show:not([hidden])')?.click(),
      j: () => step(1),
      k: () => step(-1),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}

/** Moves the focus to the next or previous row; Enter then follows the link by itself. */
function step(by) {
  const rows = Array.from(all('table[data-keys] .row-link'));
  const now = rows.findIndex((link) => link.closest('tr').contains(document.activeElement));
  const next = rows[now < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(now + by, 0), rows.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

function clicks() {
  on(document, 'click', (event) => {
    const target = event.target;
    const opener = target.closest('[data-opens]');
    const dialog = opener && document.getElementById(opener.dataset.opens);
    if (dialog?.showModal) { event.preventDefault(); dialog.showModal(); return; }
    if (target.closest('[data-closes]')) { target.closest('dialog')?.close(); return; }
    const copier = target.closest('[data-copy], [data-copy-from]');
    if (copier) { copy(copier); return; }
    for (const menu of all('details.menu[open]')) if (!menu.contains(target)) menu.open = false;
    const row = target.closest('tr[data-href]');
    if (row && !target.closest('a, button, input, label, summary') && String(getSelection()) === '') {
      if (event.ctrlKey || event.metaKey) open(row.dataset.href, '_blank', 'noopener');
      else location.assign(row.dataset.href);
    }
  });
}

async function copy(button) {
  const source = button.dataset.copy ?? document.getElementById(button.dataset.copyFrom)?.textContent ?? '';
  const word = button.querySelector('span');
  const before = word?.textContent;
  try { await navigator.clipboard.writeText(source); } catch { if (word) word.textContent = 'Select and copy by hand'; return; }
  button.classList.add('done');
  if (word) word.textContent = 'Copied';
  setTimeout(() => { button.classList.remove('done'); if (word) word.textContent = before; }, 1600);
}

function drops() {
  for (const drop of all('[data-drop]')) {
    const [input, names] = [drop.querySelector('input[type=file]'), drop.querySelector('.drop-names')];
    const tell = () => { names.textContent = Array.from(input.files, (file) => `${file.name} (${file.size} bytes)`).join(', '); };
    on(input, 'change', tell);
    for (const type of ['dragenter', 'dragover']) on(drop, type, (event) => { event.preventDefault(); drop.classList.add('over'); });
    for (const type of ['dragleave', 'drop']) on(drop, type, () => drop.classList.remove('over'));
    const take = (event, files) => {
      if (!files?.length) return;
      event.preventDefault();
      const held = new DataTransfer();
      for (const file of input.multiple ? files : [files[0]]) held.items.add(file);
      input.files = held.files;
      tell();
    };
    on(drop, 'drop', (event) => take(event, event.dataTransfer.files));
    on(drop, 'paste', (event) => take(event, event.clipboardData.files));
  }
}

/** The URL of the list narrowed to a span; µs since 1970 in, RFC 3339 out. The page cursor is dropped. */
export function spanUrl(href, from, to) {
  const url = new URL(href);
  const moment = (us) => new Date(Math.round(us / 1000)).toISOString();
  url.searchParams.set('from', moment(Math.min(from, to)));
  url.searchParams.set('to', moment(Math.max(from, to)));
  for (const name of ['before', 'after', 'page']) url.searchParams.delete(name);
  return url.href;
}

function brushes() {
  for (const svg of all('[data-brush]')) {
    if (svg.dataset.ready) continue;
    svg.dataset.ready = '1';
    const [from, to] = [Number(svg.dataset.from), Number(svg.dataset.to)];
    const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    rect.setAttribute('class', 'brush');
    rect.setAttribute('height', '100');
    let start = null;
    let dragged = false;
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * 1000;
    };
    const draw = (end) => { rect.setAttribute('x', Math.min(start, end)); rect.setAttribute('width', Math.abs(end - start)); };
    on(svg, 'dragstart', (event) => event.preventDefault());
    on(svg, 'pointerdown', (event) => { if (event.button === 0 && event.pointerType !== 'touch') { start = at(event); dragged = false; } });
    on(svg, 'pointermove', (event) => {
      if (start === null || (!dragged && Math.abs(at(event) - start) < 8)) return;
      if (!dragged) { dragged = true; svg.append(rect); svg.setPointerCapture(event.pointerId); }
      draw(at(event));
    });
    on(svg, 'pointerup', (event) => {
      if (dragged) location.assign(spanUrl(location.href, from + (start / 1000) * (to - from), from + (at(event) / 1000) * (to - from)));
      start = null;
    });
    on(svg, 'pointercancel', () => { start = null; rect.remove(); });
    on(svg, 'click', (event) => { if (dragged) event.preventDefault(); dragged = false; });
  }
}

/** Collects new rows without moving what is being read; they come in when the reader asks for them. */
function live() {
  for (const bar of all('[data-live]')) {
    const body = document.querySelector(`#${CSS.escape(bar.dataset.into)} tbody`);
    if (!body || !globalThis.EventSource) continue;
    const [state, show, pause] = ['.live-state', '.live-show', '.live-pause'].map((name) => bar.querySelector(name));
    const [waiting, kept] = [[], 500];
    let [missed, stream] = [0, null];
    const told = (word, off) => { state.textContent = word; bar.classList.toggle('off', off); };
    const count = () => {
      const number = waiting.length + missed;
      show.hidden = number === 0;
      show.textContent = `${number} new ${number === 1 ? 'event' : 'events'} — show`;
    };
    const connect = () => {
      stream = new EventSource(bar.dataset.live);
      on(stream, 'open', () => told('Live', false));
      on(stream, 'error', () => told(stream.readyState === EventSource.CLOSED ? 'Not live: reload to try again' : 'Reconnecting', true));
      on(stream, 'row', (event) => {
        const holder = document.createElement('template');
        holder.innerHTML = event.data;
        const row = holder.content.querySelector('tr');
        if (!row) return;
        waiting.push(row);
        if (waiting.length > kept) { waiting.shift(); missed += 1; }
        count();
      });
    };
    on(show, 'click', () => {
      if (missed > 0) { location.reload(); return; }
      const fresh = waiting.splice(0).reverse();
      for (const row of fresh) { row.classList.add('fresh'); times(row); }
      body.prepend(...fresh);
      count();
      fresh[0]?.querySelector('.row-link')?.focus();
    });
    on(pause, 'click', () => {
      const paused = pause.getAttribute('aria-pressed') !== 'true';
      pause.setAttribute('aria-pressed', String(paused));
      pause.textContent = paused ? 'Resume' : 'Pause';
      if (paused) { stream.close(); told('Paused', true); } else connect();
    });
    bar.hidden = false;
    connect();
  }
}

/** Parts with data-when="field=a b" show while that field of their form has one of the values. */
function choices() {
  for (const form of new Set(Array.from(all('[data-when]'), (part) => part.closest('form')))) {
    const apply = () => {
      for (const part of all('[data-when]', form)) {
        const [name, values] = part.dataset.when.split('=');
        part.hidden = !values.split(' ').includes(form.elements[name]?.value);
      }
    };
    on(form, 'change', apply);
    apply();
  }
}

/** Inputs with data-narrows="id" hide what does not have the words that are typed. */
function narrowing() {
  for (const input of all('[data-narrows]')) {
    on(input, 'input', () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const place = document.getElementById(input.dataset.narrows);
      for (const item of all('[data-item]', place)) item.hidden = !words.every((word) => item.textContent.toLowerCase().includes(word));
      for (const group of all('details', place)) {
        group.hidden = !group.querySelector('[data-item]:not([hidden])');
        if (words.length > 0) group.open = !group.hidden;
      }
    });
    on(input, 'keydown', (event) => { if (event.key === 'Enter') event.preventDefault(); });
  }
}

/** Texts with data-insert become buttons that put it into the field with the id data-into. */
function inserts(root = document) {
  for (const text of all('code[data-insert]', root)) {
    const button = made('button', '', 'insert');
    button.type = 'button';
    text.replaceWith(button);
    button.append(text);
    on(button, 'click', () => {
      const field = document.getElementById(text.dataset.into);
      const before = field.value.slice(0, field.selectionEnd);
      const gap = before && !('glued' in text.dataset) && !/[\s({]$/.test(before) ? ' ' : '';
      field.focus();
      field.setRangeText(gap + text.dataset.insert, field.selectionEnd, field.selectionEnd, 'end');
      field.dispatchEvent(new Event('input', { bubbles: true }));
    });
  }
}

/** Forms with data-preview="ids" show in these parts what they would do, while they are filled in. */
function previews() {
  for (const form of all('form[data-preview]')) {
    let [timer, asked] = [0, null];
    // As the server wrote them: what a reader opened, searched or the script added is no difference.
    const shown = new Map(form.dataset.preview.split(' ').map((id) => [id, document.getElementById(id)?.innerHTML]));
    const ask = async () => {
      asked?.abort();
      asked = new AbortController();
      const body = new URLSearchParams(new FormData(form));
      body.set('do', 'preview');
      try {
        const answer = await fetch(form.action, { method: 'POST', body, credentials: 'same-origin', headers: { accept: 'text/html' }, signal: asked.signal });
        if (!answer.ok || answer.redirected) return;
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        for (const id of shown.keys()) {
          const [part, fresh] = [document.getElementById(id), page.getElementById(id)];
          if (!part || !fresh || shown.get(id) === fresh.innerHTML) continue;
          shown.set(id, fresh.innerHTML);
          part.replaceChildren(...Array.from(fresh.childNodes, (node) => document.adoptNode(node)));
          times(part);
          inserts(part);
        }
      } catch { /* the next letter tries again */ }
    };
    on(form, 'input', (event) => {
      if (event.target.matches('[data-narrows]')) return;
      clearTimeout(timer);
      timer = setTimeout(ask, 600);
    });
  }
}

/** Parts that show alerts are fetched again when the log says that alerts have changed. */
function alerts() {
  const bell = () => document.getElementById('bell')?.dataset.live;
  if (!bell() || !globalThis.EventSource) return;
  let [stream, timer] = [null, 0];
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { for (const part of all('[data-refresh-on="alerts"]')) swap(part.id); }, 300);
  };
  // Browsers open few connections to one server: tabs that nobody looks at give theirs back.
  const follow = () => {
    stream?.close();
    stream = null;
    if (document.hidden || !bell()) return;
    // From where the bell was counted; a stream that broke goes on behind what it told last.
    stream = new EventSource(bell());
    on(stream, 'alerts', changed);
  };
  on(document, 'visibilitychange', () => { if (!document.hidden) changed(); follow(); });
  on(globalThis, 'pagehide', () => stream?.close());
  follow();
}

/** Parts with data-refresh="seconds" are fetched again and swapped, unless the reader is busy in them. */
function refresh() {
  for (const part of all('[data-refresh][id]')) {
    const seconds = Math.max(Number(part.dataset.refresh) || 30, 2);
    setInterval(() => swap(part.id), seconds * 1000);
  }
}

async function swap(id) {
  const busy = () => {
    const part = document.getElementById(id);
    const selection = getSelection();
    return !part || document.hidden || part.contains(document.activeElement) || part.querySelector('input:checked') || (!selection.isCollapsed && part.contains(selection.anchorNode));
  };
  if (busy()) return;
  try {
    const part = document.getElementById(id);
    const answer = await fetch(part.dataset.refreshFrom ?? location.href, { credentials: 'same-origin', headers: { accept: 'text/html' } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(id);
    if (!fresh || busy() || fresh.isEqualNode(part)) return;
    part.replaceWith(document.adoptNode(fresh));
    times(fresh);
    brushes();
    proofs();
  } catch { /* the next tick tries again */ }
}

if (globalThis.document) {
  for (const part of all('[data-script-only]')) part.hidden = false;
  if (matchMedia('(max-width: 860px)').matches) document.querySelector('.places [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  for (const start of [previews, times, preferences, keys, clicks, drops, brushes, live, refresh, proofs, choices, narrowing, inserts, alerts]) start();
}
