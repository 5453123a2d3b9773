// engine.wasm in JavaScript: its guests, its memory, its calls. What the host does with wasmtime is done
// here with the browser's own WebAssembly, byte for byte the same.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a guest may write between two drains of its log: bytes a line, lines. */
const LOG_BYTES = 1024;
const LOG_LINES = 64;
/** The level of the message a guest gives up with. */
const ABORT = 255;

/** A 64-bit number as the C ABI takes it. */
export const halves = (n) => [n >>> 0, Math.floor(n / 0x1_0000_0000) >>> 0];

/** What a guest may import. */
function guestImports(guest) {
  const say = (level, at, length) => {
    const all = new Uint8Array(guest.exports.memory.buffer);
    const [from, size] = [at >>> 0, length >>> 0];
    if (from + size > all.length) throw new RangeError("a log text outside the guest's memory");
    if (guest.log.length < LOG_LINES) {
      guest.log.push({ level, bytes: all.slice(from, from + Math.min(size, LOG_BYTES)) });
    }
  };
  /** An AssemblyScript string: UTF-16, its length in bytes in the four bytes before it. */
  const wide = (at) => {
    const view = new DataView(guest.exports.memory.buffer);
    const start = at >>> 0;
    if (start < 4 || start > view.byteLength) return "";
    const length = view.getUint32(start - 4, true);
    if (start + length > view.byteLength) return "";
    const units = Math.min(length, LOG_BYTES) >> 1;
    const codes = Array.from({ length: units }, (_, i) => view.getUint16(start + 2 * i, true));
    return String.fromCharCode(...codes).toWellFormed();
  };
  return {
    hw: {
      log: (level, at, length) => say(Math.min(Math.max(level, 0), 4), at, length),
      abort(at, length) {
        say(ABORT, at, length);
        throw new Error("the guest called hw.abort");
      },
    },
    env: {
      abort(message, file, line, column) {
        const said = encoder.encode(`${wide(message)} (${wide(file)}:${line}:${column})`);
        if (guest.log.length < LOG_LINES) {
          guest.log.push({ level: ABORT, bytes: said.slice(0, LOG_BYTES) });
        }
        throw new Error("the guest called env.abort");
      },
    },
  };
}

/** A live engine.wasm. */
class Engine {
  #view = new Uint8Array();
  #data = new DataView(this.#view.buffer);
  #guests = [];

  /** Its memory; the view is made anew when the memory grows. */
  #memory() {
    if (this.#view.buffer !== this.exports.memory.buffer) {
      this.#view = new Uint8Array(this.exports.memory.buffer);
      this.#data = new DataView(this.#view.buffer);
    }
    return this.#view;
  }

  /** The same memory as numbers. */
  #numbers() {
    this.#memory();
    return this.#data;
  }

  /** A stretch of a guest's memory, or null when it is not all inside. */
  #guestBytes(guest, address, length) {
    const live = this.#guests[guest];
    const buffer = live?.exports.memory?.buffer;
    if (!buffer) return null;
    // Made anew when the guest's memory has grown.
    if (live.view?.buffer !== buffer) live.view = new Uint8Array(buffer);
    const from = address >>> 0;
    const end = from + (length >>> 0);
    return end <= live.view.length ? live.view.subarray(from, end) : null;
  }

  #text(at, length) {
    return decoder.decode(this.#memory().subarray(at >>> 0, (at >>> 0) + (length >>> 0)));
  }

  /** The module's imports. */
  imports() {
    return {
      guest_new: (at, length) => {
        try {
          const bytes = this.#memory().slice(at >>> 0, (at >>> 0) + (length >>> 0));
          const guest = { exports: null, log: [], view: null };
          const module = new WebAssembly.Module(bytes);
          guest.exports = new WebAssembly.Instance(module, guestImports(guest)).exports;
          const free = this.#guests.indexOf(null);
          const index = free < 0 ? this.#guests.length : free;
          this.#guests[index] = guest;
          return index;
        } catch {
          return -1;
        }
      },
      guest_call: (guest, nameAt, nameLength, argumentsAt, count, resultAt) => {
        try {
          const name = this.#text(nameAt, nameLength);
          const data = this.#numbers();
          const from = argumentsAt >>> 0;
          const values = [];
          for (let i = 0; i < count; i++) values.push(data.getInt32(from + 4 * i, true));
          const result = this.#guests[guest].exports[name](...values);
          this.#numbers().setInt32(resultAt >>> 0, result | 0, true);
          return 0;
        } catch {
          return 1;
        }
      },
      guest_read: (guest, address, at, length) => {
        const from = this.#guestBytes(guest, address, length);
        if (!from) return 0;
        this.#memory().set(from, at >>> 0);
        return 1;
      },
      guest_write: (guest, address, at, length) => {
        const to = this.#guestBytes(guest, address, length);
        if (!to) return 0;
        to.set(this.#memory().subarray(at >>> 0, (at >>> 0) + (length >>> 0)));
        return 1;
      },
      guest_log: (guest, into, capacity) => {
        const lines = this.#guests[guest]?.log ?? [];
        const out = this.#memory();
        let at = into >>> 0;
        const end = at + (capacity >>> 0);
        for (const { level, bytes } of lines) {
          if (at + 5 + bytes.length > end) break;
          const view = new DataView(out.buffer);
          view.setUint8(at, level);
          view.setUint32(at + 1, bytes.length, true);
          out.set(bytes, at + 5);
          at += 5 + bytes.length;
        }
        lines.length = 0;
        return at - (into >>> 0);
      },
      guest_drop: (guest) => {
        if (this.#guests[guest]) this.#guests[guest] = null;
      },
    };
  }

  /** Calls `use` with pointer and length of each text or bytes, put into the engine's memory. */
  lend(parts, use) {
    const lent = parts.map((part) => {
      const bytes = typeof part === "string" ? encoder.encode(part) : part;
      const at = this.exports.hw_alloc(bytes.length);
      this.#memory().set(bytes, at >>> 0);
      return [at, bytes.length];
    });
    try {
      return use(...lent.flat());
    } finally {
      for (const [at, length] of lent) this.exports.hw_free(at, length);
    }
  }

  /** A call's answer: an error with the engine's own words when it is negative. */
  #answer(status) {
    if (status < 0) throw new Error(JSON.parse(this.result()).diagnostics[0].message);
    return status;
  }

  /**
   * Opens a script whose tables with 'connector' = 'push' are fed by `push`. Answers the job, and what
   * the tables are: `{job, inputs, outputs, warnings}`.
   */
  start(name, script, options = {}) {
    const job = this.lend([name, script, JSON.stringify(options)], this.exports.hw_start);
    const answer = JSON.parse(this.result());
    if (!job) throw new Error(answer.diagnostics[0].message);
    return { job, ...answer };
  }

  /**
   * Hands rows to a table and runs as far as they go; true when the job has finished. A column is
   * `{type, values, valid?, offsets?}`: values a typed array, BigInt64Array for BIGINT and TIMESTAMP(3);
   * valid a bitmap; for STRING see `texts`.
   */
  push(job, input, rows, columns) {
    const layout = layOut(rows, columns);
    const at = this.exports.hw_alloc(layout.length) >>> 0;
    writeFrame(this.#memory().subarray(at, at + layout.length), rows, layout);
    return this.#answer(this.exports.hw_push(job, input, at, layout.length)) === 0;
  }

  /** Says that a table has ended; true when the job has finished. */
  end(job, input) {
    return this.#answer(this.exports.hw_end(job, input)) === 0;
  }

  /** The next rows of an output, `{rows, kinds, columns}`; null when there are none now. */
  take(job, output) {
    return this.#answer(this.exports.hw_take(job, output)) ? readFrame(this.resultBytes()) : null;
  }

  /**
   * Shows the next rows of an output to `use`, where they stand in the engine's memory: they are there until it returns,
   * and it must not call the engine. False when there are none now.
   */
  show(job, output, use) {
    if (!this.#answer(this.exports.hw_take(job, output))) return false;
    const at = this.exports.hw_result_ptr() >>> 0;
    const own = this.#memory().subarray(at, at + (this.exports.hw_result_len() >>> 0));
    // Numbers can be seen only where they are aligned.
    use(readFrame(at % 8 ? own.slice() : own));
    return true;
  }

  /** What a fed job has done so far. */
  report(job) {
    this.#answer(this.exports.hw_report(job));
    return JSON.parse(this.result());
  }

  /** The last call's result. */
  resultBytes() {
    const at = this.exports.hw_result_ptr() >>> 0;
    return this.#memory().slice(at, at + (this.exports.hw_result_len() >>> 0));
  }

  /** The last call's result as text. */
  result() {
    return decoder.decode(this.resultBytes());
  }
}

/** The first four bytes of a frame, and the sizes of its head and of a column's descriptor. */
const FRAME = "HWC1";
const HEAD = 16;
const DESCRIPTOR = 24;

/** A type's code in a frame, and the array that holds its values; see the engine's `frame` module. */
const TYPES = {
  BOOLEAN: [1, Uint8Array],
  INT: [2, Int32Array],
  BIGINT: [3, BigInt64Array],
  FLOAT: [4, Float32Array],
  DOUBLE: [5, Float64Array],
  STRING: [6, Uint8Array],
  BYTES: [7, Uint8Array],
  DATE: [8, Int32Array],
  "TIMESTAMP(3)": [9, BigInt64Array],
  DECIMAL: [10, Uint8Array],
  "TIMESTAMP_LTZ(3)": [11, BigInt64Array],
  NULL: [12, Uint8Array],
};

/** The bytes of a typed array. */
const raw = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Where the parts of a frame of these columns stand: `[offset, bytes]` pairs, and the whole length. */
function layOut(rows, columns) {
  let length = HEAD + DESCRIPTOR * columns.length;
  const parts = [];
  const place = (array) => {
    if (!array) return 0;
    const at = Math.ceil(length / 8) * 8;
    parts.push([at, raw(array)]);
    length = at + array.byteLength;
    return at;
  };
  const descriptors = columns.map(({ type, values, valid, offsets }) => {
    const [name, precision = 0, scale = 0] =
      type in TYPES ? [type] : type.split(/[(), ]+/).map((word, i) => (i ? Number(word) : word));
    if (!(name in TYPES)) throw new TypeError(`no column has the type ${type}`);
    const validAt = place(valid);
    const offsetsAt = place(offsets);
    // Also of nothing, a place is needed.
    const valuesAt = place(values);
    const numbers = [validAt, valuesAt, values.byteLength, offsetsAt, rows];
    return [[TYPES[name][0], 0, precision, scale], numbers];
  });
  return { parts, descriptors, length };
}

/** Writes a frame to its room. */
function writeFrame(room, rows, { parts, descriptors, length }) {
  const view = new DataView(room.buffer, room.byteOffset, length);
  room.set(encoder.encode(FRAME));
  [rows, descriptors.length, 0].forEach((n, i) => view.setUint32(4 + 4 * i, n, true));
  descriptors.forEach(([bytes, numbers], i) => {
    const at = HEAD + DESCRIPTOR * i;
    room.set(bytes, at);
    numbers.forEach((n, k) => view.setUint32(at + 4 + 4 * k, n, true));
  });
  for (const [at, bytes] of parts) room.set(bytes, at);
}

/** The code of each type's columns, and what they are. */
const CODES = new Map(Object.entries(TYPES).map(([name, [code, Type]]) => [code, { name, Type }]));

/** A frame's columns, in its memory. */
function readFrame(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [rows, count, kindsAt] = [4, 8, 12].map((at) => view.getUint32(at, true));
  const part = (Type, at, length) =>
    new Type(bytes.buffer, bytes.byteOffset + at, length / Type.BYTES_PER_ELEMENT);
  const columns = Array.from({ length: count }, (_, i) => {
    const at = HEAD + DESCRIPTOR * i;
    const numbers = [4, 8, 12, 16].map((k) => view.getUint32(at + k, true));
    const [validAt, valuesAt, length, offsetsAt] = numbers;
    const { name, Type } = CODES.get(bytes[at]);
    const type = name === "DECIMAL" ? `DECIMAL(${bytes[at + 2]}, ${bytes[at + 3]})` : name;
    return {
      type,
      values: part(Type, valuesAt, length),
      valid: validAt ? part(Uint8Array, validAt, Math.ceil(rows / 8)) : null,
      offsets: offsetsAt ? part(Uint32Array, offsetsAt, 4 * (rows + 1)) : null,
    };
  });
  return { rows, kinds: kindsAt ? part(Uint8Array, kindsAt, rows) : null, columns };
}

/** A column of texts. */
export function texts(list) {
  const pieces = list.map((text) => encoder.encode(text));
  const offsets = new Uint32Array(list.length + 1);
  pieces.forEach((piece, i) => (offsets[i + 1] = offsets[i] + piece.length));
  const values = new Uint8Array(offsets[list.length]);
  pieces.forEach((piece, i) => values.set(piece, offsets[i]));
  return { type: "STRING", values, offsets };
}

/** Fetches and compiles engine.wasm. */
export async function compile(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return WebAssembly.compile(await answer.arrayBuffer());
}

/** Starts an engine that shares nothing but its code with others of the same module. */
export async function start(module) {
  const engine = new Engine();
  const imports = { highwater: engine.imports() };
  engine.exports = (await WebAssembly.instantiate(module, imports)).exports;
  const version = engine.exports.hw_abi();
  if (version !== 1) throw new Error(`engine.wasm speaks ABI ${version}, this page speaks 1`);
  return engine;
}

/** Fetches and starts engine.wasm. */
export const load = async (url) => start(await compile(url));
