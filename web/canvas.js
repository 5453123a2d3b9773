// Plays a picture's command buffer on a canvas. The operations are numbered as in src/charts/canvas.rs.

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width in CSS pixels
 * @param {number} height in CSS pixels
 * @param {Float32Array} data operations with their operands
 * @param {string} joined texts and colours, separated by U+001F
 */
export function paint(canvas, width, height, data, joined) {
  const ratio = globalThis.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const c = canvas.getContext("2d");
  if (!c) return;
  const strings = joined.split("\u001f");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  c.lineJoin = "round";
  const tau = 2 * Math.PI;
  let i = 0;
  const points = (n, first, then) => {
    for (let k = 0; k < n; k++, i += 2) (k === 0 ? first : then)(data[i], data[i + 1]);
  };
  while (i < data.length) {
    switch (data[i++]) {
      case 0: c.fillStyle = strings[data[i++]]; break;
      case 1:
        c.strokeStyle = strings[data[i++]];
        c.lineWidth = data[i++];
        c.setLineDash(data[i++] ? [4, 4] : []);
        break;
      case 2: c.fillRect(data[i], data[i + 1], data[i + 2], data[i + 3]); i += 4; break;
      case 3:
      case 4: {
        const fill = data[i - 1] === 4;
        const n = data[i + 1];
        i += 2;
        c.beginPath();
        points(n, (x, y) => c.moveTo(x, y), (x, y) => c.lineTo(x, y));
        if (fill) c.fill(); else c.stroke();
        break;
      }
      case 5:
        c.beginPath();
        c.arc(data[i], data[i + 1], data[i + 2], 0, tau);
        if (data[i + 3]) c.fill(); else c.stroke();
        i += 4;
        break;
      case 6: {
        const [id, x, y, size, across, up, turned] = data.subarray(i, i + 7);
        i += 7;
        c.font = `${size}px system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR", sans-serif`;
        c.textAlign = ["left", "center", "right"][across];
        c.textBaseline = ["top", "middle", "bottom"][up];
        if (turned) {
          c.save();
          c.translate(x, y);
          c.rotate(-Math.PI / 2);
          c.fillText(strings[id], 0, 0);
          c.restore();
        } else {
          c.fillText(strings[id], x, y);
        }
        break;
      }
      case 7: {
        const [half, n] = [data[i], data[i + 1]];
        i += 2;
        const each = (x, y) => c.fillRect(x - half, y - half, 2 * half, 2 * half);
        points(n, each, each);
        break;
      }
      case 8: {
        const [half, n] = [data[i], data[i + 1]];
        i += 2;
        c.beginPath();
        const each = (x, y) => {
          c.moveTo(x - half, y - half);
          c.lineTo(x + half, y + half);
          c.moveTo(x - half, y + half);
          c.lineTo(x + half, y - half);
        };
        points(n, each, each);
        c.stroke();
        break;
      }
      case 9: {
        const [radius, n] = [data[i], data[i + 1]];
        i += 2;
        c.beginPath();
        const each = (x, y) => {
          c.moveTo(x + radius, y);
          c.arc(x, y, radius, 0, tau);
        };
        points(n, each, each);
        c.stroke();
        break;
      }
      case 10:
        c.save();
        c.beginPath();
        c.rect(data[i], data[i + 1], data[i + 2], data[i + 3]);
        c.clip();
        i += 4;
        break;
      case 11: c.restore(); break;
      case 12: c.strokeRect(data[i], data[i + 1], data[i + 2], data[i + 3]); i += 4; break;
      default: return;
    }
  }
}
