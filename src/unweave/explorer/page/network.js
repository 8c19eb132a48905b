// Networks, layer by layer, as layers.py lists them. A value is {data: Float32Array, shape: [...]}.

export function run(layers, value) {
  for (const layer of layers) value = STEPS[layer.op](value, layer);
  return value;
}

// Expected pixels (channels, height, width) as bytes of RGBA, row by row.
export function toPixels(output) {
  const [channels, height, width] = output.shape, places = height * width;
  const pixels = new Uint8ClampedArray(4 * places);
  for (let i = 0; i < places; i++) {
    for (let c = 0; c < 3; c++) {
      const logit = output.data[(channels > 2 ? c : 0) * places + i];
      pixels[4 * i + c] = 255 / (1 + Math.exp(-logit));
    }
    pixels[4 * i + 3] = 255;
  }
  return pixels;
}

// Bytes (height, width, channels) as the encoder takes them: (channels, height, width) in [0, 1].
export function fromBytes(bytes, [height, width, channels]) {
  const places = height * width, data = new Float32Array(places * channels);
  for (let i = 0; i < places; i++) {
    for (let c = 0; c < channels; c++) data[c * places + i] = bytes[i * channels + c] / 255;
  }
  return { data, shape: [channels, height, width] };
}

const STEPS = {
  linear({ data }, { weight, bias }) {
    const n = data.length, out = new Float32Array(bias.data.length);
    for (let o = 0; o < out.length; o++) {
      let sum = 0;
      for (let i = 0, at = o * n; i < n; i++) sum += weight.data[at + i] * data[i];
      out[o] = sum + bias.data[o];
    }
    return { data: out, shape: [out.length] };
  },
  convolution(value, layer) {
    const [inputs, height, width] = value.shape, { stride, padding, groups } = layer;
    const [outputs, own, kernel, across] = layer.weight.shape;
    const high = Math.floor((height + 2 * padding - kernel) / stride) + 1;
    const wide = Math.floor((width + 2 * padding - across) / stride) + 1;
    const places = high * wide, taps = kernel * across, n = outputs / groups;
    const out = filled(layer.bias, places);
    const columns = new Float32Array(own * taps * places);
    for (let g = 0; g < groups; g++) {
      for (let c = 0; c < own; c++) {
        const plane = (g * own + c) * height * width;
        for (let t = 0; t < taps; t++) {
          const down = Math.floor(t / across) - padding, right = t % across - padding;
          let at = (c * taps + t) * places;
          for (let y = 0; y < high; y++) {
            const row = y * stride + down, inside = row >= 0 && row < height;
            for (let x = 0; x < wide; x++, at++) {
              const column = x * stride + right;
              columns[at] = inside && column >= 0 && column < width
                ? value.data[plane + row * width + column] : 0;
            }
          }
        }
      }
      const weights = layer.weight.data.subarray(g * n * own * taps, (g + 1) * n * own * taps);
      addProduct(weights, columns, out.subarray(g * n * places), n, own * taps, places);
    }
    return { data: out, shape: [outputs, high, wide] };
  },
  transposed(value, layer) {
    const [inputs, height, width] = value.shape, { stride, padding, groups } = layer;
    const [, each, kernel, across] = layer.weight.shape;
    const high = (height - 1) * stride - 2 * padding + kernel;
    const wide = (width - 1) * stride - 2 * padding + across;
    const places = height * width, taps = kernel * across, own = inputs / groups;
    const out = filled(layer.bias, high * wide), rows = each * taps;
    layer.turned ??= turned(layer.weight.data, groups, own, rows);
    for (let g = 0; g < groups; g++) {
      const columns = new Float32Array(rows * places);
      const weights = layer.turned.subarray(g * own * rows, (g + 1) * own * rows);
      addProduct(weights, value.data.subarray(g * own * places), columns, rows, own, places);
      for (let o = 0; o < each; o++) {
        const plane = (g * each + o) * high * wide;
        for (let t = 0; t < taps; t++) {
          const down = Math.floor(t / across) - padding, right = t % across - padding;
          let at = (o * taps + t) * places;
          for (let y = 0; y < height; y++) {
            const row = y * stride + down;
            if (row < 0 || row >= high) { at += width; continue; }
            for (let x = 0; x < width; x++, at++) {
              const column = x * stride + right;
              if (column >= 0 && column < wide) out[plane + row * wide + column] += columns[at];
            }
          }
        }
      }
    }
    return { data: out, shape: [each * groups, high, wide] };
  },
  relu: (value) => mapped(value, (x) => (x > 0 ? x : 0)),
  leaky_relu: (value, { slope }) => mapped(value, (x) => (x > 0 ? x : slope * x)),
  silu: (value) => mapped(value, (x) => x / (1 + Math.exp(-x))),
  tanh: (value) => mapped(value, Math.tanh),
  sigmoid: (value) => mapped(value, (x) => 1 / (1 + Math.exp(-x))),
  gelu: (value) => mapped(value, (x) => 0.5 * x * (1 + errorFunction(x / Math.SQRT2))),
  gelu_tanh: (value) => mapped(
    value, (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  ),
  reshape({ data }, { shape }) {
    return { data, shape: shape[0] === -1 ? [data.length] : shape };
  },
  affine(value, { scale, shift }) {
    const places = value.data.length / scale.data.length;
    return {
      data: value.data.map((x, i) => {
        const c = Math.floor(i / places);
        return x * scale.data[c] + shift.data[c];
      }),
      shape: value.shape,
    };
  },
  styled(value, layer) {
    return styled(value, layer.scale.data, layer.shift.data, layer);
  },
  style_stack({ data }, layer) {
    let value = layer.constant, at = 0;
    for (const each of layer.layers) {
      const n = value.shape[0];
      const scale = data.subarray(at, at + n).map((x) => 1 + x);
      value = STEPS[each.op](styled(value, scale, data.subarray(at + n, at + 2 * n), layer), each);
      at += 2 * n;
    }
    return value;
  },
  residual(value, { layers }) {
    const change = run(layers, value).data;
    return { data: value.data.map((x, i) => x + change[i]), shape: value.shape };
  },
  gather({ data }, { index }) {
    return { data: Float32Array.from(index.data, (i) => data[i] ?? 0), shape: index.shape };
  },
  broadcast({ data }, { coordinates }) {
    const [, height, width] = coordinates.shape, places = height * width;
    const out = new Float32Array((data.length + 2) * places);
    data.forEach((x, i) => out.fill(x, i * places, (i + 1) * places));
    out.set(coordinates.data, data.length * places);
    return { data: out, shape: [data.length + 2, height, width] };
  },
  matrix_exponential({ data }, { generators }) {
    const [n, size] = generators.shape, square = size * size, sum = new Float64Array(square);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < square; j++) sum[j] += data[i] * generators.data[i * square + j];
    }
    return { data: Float32Array.from(exponential(sum, size)), shape: [square] };
  },
  beside(value, { parts }) {
    const found = parts.map((layers) => [...run(layers, value).data]).flat();
    return { data: Float32Array.from(found), shape: [found.length] };
  },
  first_half({ data }) {
    return { data: data.slice(0, data.length / 2), shape: [data.length / 2] };
  },
  nearest({ data }, { values }) {
    const n = values.shape[1];
    return {
      data: data.map((x, j) => {
        const own = values.data.subarray(j * n, (j + 1) * n);
        return own.reduce((best, v) => (Math.abs(v - x) < Math.abs(best - x) ? v : best), own[0]);
      }),
      shape: [data.length],
    };
  },
  grid({ data }, { values }) {
    const steps = (values.data.length - 1) / 2;
    return { data: data.map((x) => values.data[toEven((Math.tanh(x) + 1) * steps)]), shape: [data.length] };
  },
};

function mapped({ data, shape }, f) {
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = f(data[i]);
  return { data: out, shape };
}

function filled(bias, places) {
  const out = new Float32Array(bias.data.length * places);
  bias.data.forEach((b, c) => out.fill(b, c * places, (c + 1) * places));
  return out;
}

// Weights (groups, own, rows) as (groups, rows, own).
function turned(weights, groups, own, rows) {
  const out = new Float32Array(weights.length);
  for (let g = 0; g < groups; g++) {
    const at = g * own * rows;
    for (let i = 0; i < own; i++) {
      for (let r = 0; r < rows; r++) out[at + r * own + i] = weights[at + i * rows + r];
    }
  }
  return out;
}

// C (m, n) += A (m, k) B (k, n), two rows of C and four of B at a time.
function addProduct(a, b, c, m, k, n) {
  for (let row = 0; row < m; row += 2) {
    const two = row + 1 < m, upper = row * n, lower = two ? upper + n : upper;
    const first = row * k, second = two ? first + k : first;
    for (let i = 0; i < k; i += 4) {
      const p0 = a[first + i], p1 = at(a, first, i + 1, k), p2 = at(a, first, i + 2, k);
      const p3 = at(a, first, i + 3, k);
      const b0 = i * n, b1 = Math.min(i + 1, k - 1) * n, b2 = Math.min(i + 2, k - 1) * n;
      const b3 = Math.min(i + 3, k - 1) * n;
      if (!two) {
        for (let j = 0; j < n; j++) {
          c[upper + j] += p0 * b[b0 + j] + p1 * b[b1 + j] + p2 * b[b2 + j] + p3 * b[b3 + j];
        }
        continue;
      }
      const q0 = a[second + i], q1 = at(a, second, i + 1, k), q2 = at(a, second, i + 2, k);
      const q3 = at(a, second, i + 3, k);
      for (let j = 0; j < n; j++) {
        const x0 = b[b0 + j], x1 = b[b1 + j], x2 = b[b2 + j], x3 = b[b3 + j];
        c[upper + j] += p0 * x0 + p1 * x1 + p2 * x2 + p3 * x3;
        c[lower + j] += q0 * x0 + q1 * x1 + q2 * x2 + q3 * x3;
      }
    }
  }
}

function at(array, start, i, k) {
  return i < k ? array[start + i] : 0;
}

function styled({ data, shape }, scale, shift, { slope, epsilon }) {
  const places = shape[1] * shape[2], out = new Float32Array(data.length);
  for (let c = 0; c < shape[0]; c++) {
    const start = c * places;
    let mean = 0, square = 0;
    for (let i = 0; i < places; i++) mean += data[start + i];
    mean /= places;
    for (let i = 0; i < places; i++) square += (data[start + i] - mean) ** 2;
    const factor = scale[c] / Math.sqrt(square / places + epsilon);
    for (let i = 0; i < places; i++) {
      const x = (data[start + i] - mean) * factor + shift[c];
      out[start + i] = x > 0 ? x : slope * x;
    }
  }
  return { data: out, shape };
}

// By scaling and squaring a Taylor series.
function exponential(matrix, size) {
  let norm = 0;
  for (const x of matrix) norm = Math.max(norm, Math.abs(x) * size);
  const halvings = Math.max(0, Math.ceil(Math.log2(norm + 1e-300)) + 4);
  const small = matrix.map((x) => x / 2 ** halvings);
  let term = identity(size), sum = identity(size);
  for (let i = 1; i <= 10; i++) {
    term = product(term, small, size).map((x) => x / i);
    sum = sum.map((x, j) => x + term[j]);
  }
  for (let i = 0; i < halvings; i++) sum = product(sum, sum, size);
  return sum;
}

function identity(size) {
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) out[i * size + i] = 1;
  return out;
}

function product(a, b, size) {
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      for (let j = 0; j < size; j++) out[i * size + j] += a[i * size + k] * b[k * size + j];
    }
  }
  return out;
}

function toEven(x) {
  const low = Math.floor(x), rest = x - low;
  return rest === 0.5 ? low + (low % 2) : Math.round(x);
}

// Abramowitz and Stegun's 7.1.26 has errors of 1.5e-7, below those of single precision sums.
function errorFunction(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741
    + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}
