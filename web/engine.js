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
  #guests = [];

  /** Its memory; the view is made anew when the memory grows. */
  #memory() {
    if (this.#view.buffer !== this.exports.memory.buffer) {
      this.#view = new Uint8Array(this.exports.memory.buffer);
    }
    return this.#view;
  }

  /** A stretch of a guest's memory, or null when it is not all inside. */
  #guestBytes(guest, address, length) {
    const buffer = this.#guests[guest]?.exports.memory?.buffer;
    const [from, size] = [address >>> 0, length >>> 0];
    if (!buffer || from + size > buffer.byteLength) return null;
    return new Uint8Array(buffer, from, size);
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
          const guest = { exports: null, log: [] };
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
          const data = new DataView(this.exports.memory.buffer);
          const from = argumentsAt >>> 0;
          const values = Array.from({ length: count }, (_, i) => data.getInt32(from + 4 * i, true));
          const result = this.#guests[guest].exports[name](...values);
          new DataView(this.exports.memory.buffer).setInt32(resultAt >>> 0, result | 0, true);
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

/** Fetches and starts engine.wasm. */
export async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  const engine = new Engine();
  const imports = { highwater: engine.imports() };
  const { instance } = await WebAssembly.instantiate(await answer.arrayBuffer(), imports);
  engine.exports = instance.exports;
  const version = engine.exports.hw_abi();
  if (version !== 1) throw new Error(`engine.wasm speaks ABI ${version}, this page speaks 1`);
  return engine;
}
