// What is computed again for chosen rows. Mutual information is that of MIG: 20 bins of equal width.

const BINS = 20;
const ON_EDGE = 2 ** -22; // of the range: rounding of single precision

// Mutual information in nats of numbers and levels, both at the chosen rows.
export function information(values, levels) {
  const n = values.length, bins = binned(values), nLevels = 1 + Math.max(...levelsOf(levels));
  const joint = new Float64Array(BINS * nLevels), codes = new Float64Array(BINS), factor = new Float64Array(nLevels);
  for (let i = 0; i < n; i++) {
    joint[bins[i] * nLevels + levels[i]]++;
    codes[bins[i]]++;
    factor[levels[i]]++;
  }
  const found = Math.log(n) + (terms(joint) - terms(codes) - terms(factor)) / n;
  return found < 1e-12 ? 0 : found;
}

export function binned(values) {
  const [low, high] = ends(values);
  if (low === high) return new Int32Array(values.length).fill(BINS >> 1);
  return Int32Array.from(values, (x) => {
    const place = (x - low) / (high - low);
    return Math.max(0, Math.min(BINS - 1, Math.floor((place + ON_EDGE) * BINS)));
  });
}

// Absolute correlation of numbers with numbers.
export function correlation(a, b) {
  const n = a.length, ma = mean(a), mb = mean(b);
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < n; i++) {
    const x = a[i] - ma, y = b[i] - mb;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa && bb ? Math.abs(ab) / Math.sqrt(aa * bb) : 0;
}

// Correlation ratio of numbers and levels that have no order.
export function ratio(values, levels) {
  const total = mean(values), sums = new Map();
  let all = 0, between = 0;
  values.forEach((x, i) => {
    const own = sums.get(levels[i]) ?? [0, 0];
    sums.set(levels[i], [own[0] + x, own[1] + 1]);
    all += (x - total) ** 2;
  });
  for (const [sum, n] of sums.values()) between += n * (sum / n - total) ** 2;
  return all ? Math.sqrt(between / all) : 0;
}

// Mean and standard deviation of the values at each level; null where there are none.
export function byLevel(values, levels, n) {
  const own = Array.from({ length: n }, () => []);
  values.forEach((x, i) => own[levels[i]].push(x));
  return own.map((at) => {
    if (!at.length) return null;
    const middle = mean(at);
    return { n: at.length, mean: middle, sd: Math.sqrt(at.reduce((sum, x) => sum + (x - middle) ** 2, 0) / at.length) };
  });
}

export function ends(values) {
  let low = Infinity, high = -Infinity;
  for (const x of values) {
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return [low, high];
}

function levelsOf(levels) {
  return new Set(levels);
}

function terms(counts) {
  let sum = 0;
  for (const c of counts) if (c > 1) sum += c * Math.log(c);
  return sum;
}

function mean(values) {
  let sum = 0;
  for (const x of values) sum += x;
  return sum / values.length;
}
