// Whatever the browser can open becomes pixels: upright, opaque over white, colours as stored.

const MOST = 16_000_000; // pixels; more than about this a phone's canvas does not hold

/** A file's, or a video frame's, ImageData. Throws what the browser throws for a file that is no picture. */
export async function read(blob) {
  const bitmap = await createImageBitmap(blob, {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "default",
  });
  try {
    return frame(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** The pixels of anything that a canvas can draw. What has too many is halved until it fits. */
export function frame(source, width, height) {
  let scale = 1;
  while (width * height * scale * scale > MOST) scale /= 2;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
