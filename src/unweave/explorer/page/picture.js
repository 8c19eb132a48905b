// Pictures: bytes onto a canvas, and files of a visitor as bytes.

const MOST = 10 * 2 ** 20; // bytes of a file

export function canvas(label) {
  const made = document.createElement("canvas");
  made.className = "picture";
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", label);
  made.width = made.height = 64;
  return made;
}

export function show(target, pixels, width, height) {
  if (target.width !== width || target.height !== height) {
    target.width = width;
    target.height = height;
  }
  target.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
}

export function clear(target) {
  target.getContext("2d").clearRect(0, 0, target.width, target.height);
}

export function showBytes(target, bytes, [height, width, channels]) {
  const pixels = new Uint8ClampedArray(4 * height * width);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = bytes[i * channels + (channels > 2 ? c : 0)];
    pixels[4 * i + 3] = 255;
  }
  show(target, pixels, width, height);
}

// Bytes (height, width, channels) of a file: its middle, resized. Throws a sentence.
export async function readFile(file, [height, width, channels]) {
  if (file.size > MOST) {
    throw new Error(`${file.name} has ${(file.size / 2 ** 20).toFixed(0)} MB: choose an image of at most 10 MB.`);
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not an image that this browser can read: choose a PNG or JPEG.`);
  }
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const wide = bitmap.width * scale, high = bitmap.height * scale;
  const target = document.createElement("canvas");
  target.width = width;
  target.height = height;
  const context = target.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (width - wide) / 2, (height - high) / 2, wide, high);
  const { data } = context.getImageData(0, 0, width, height);
  const bytes = new Uint8Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
    for (let c = 0; c < channels; c++) {
      bytes[i * channels + c] = channels > 2 ? data[4 * i + c] : Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    }
  }
  const same = bitmap.width === width && bitmap.height === height;
  const said = same ? "" : `, ${bitmap.width} × ${bitmap.height}, cut and resized to ${width} × ${height}`;
  return { bytes, text: `${file.name}${said}` };
}
