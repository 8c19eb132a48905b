// The content of the page, as archive.py packs it.

const TYPES = { f4: Float32Array, f2: Uint16Array, i4: Int32Array, u1: Uint8Array };

export async function unpack(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const content = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return revived(content, buffer, Math.ceil((4 + length) / 8) * 8);
}

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function revived(part, buffer, start) {
  if (Array.isArray(part)) return part.map((one) => revived(one, buffer, start));
  if (part === null || typeof part !== "object") return part;
  if (part.$) {
    const [type, shape, offset] = part.$;
    const n = shape.reduce((product, side) => product * side, 1);
    const data = new TYPES[type](buffer, start + offset, n);
    return { data: type === "f2" ? Float32Array.from(data, fromHalf) : data, shape };
  }
  for (const key of Object.keys(part)) part[key] = revived(part[key], buffer, start);
  return part;
}

function fromHalf(bits) {
  const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return exponent
    ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
    : sign * 2 ** -14 * (fraction / 1024);
}
