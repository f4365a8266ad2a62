// What the browser tells of the device it runs on. No more than any page is told.

import { threads } from "./model.js";

export async function describeDevice() {
  const hints = await navigator.userAgentData?.getHighEntropyValues?.([
    "model", "platform", "platformVersion", "architecture", "fullVersionList",
  ]).catch(() => undefined);
  const browser = hints?.fullVersionList?.filter((one) => !/not.?a.?brand/i.test(one.brand)).at(-1);
  return {
    model: hints?.model || "",
    platform: hints ? `${hints.platform} ${hints.platformVersion}`.trim() : "",
    architecture: hints?.architecture || "",
    browser: browser ? `${browser.brand} ${browser.version}` : browserOf(navigator.userAgent),
    gpu: gpuOf(),
    userAgent: navigator.userAgent,
    cores: navigator.hardwareConcurrency ?? 0,
    memoryGiB: navigator.deviceMemory ?? 0,
    screen: `${screen.width} x ${screen.height} at ${devicePixelRatio}`,
    threads: threads(),
  };
}

/** Browsers tell the model of a phone to pages with https only. */
export function nameOf(device) {
  const system = /iPhone|iPad|Android [\d.]+|Windows|Macintosh|CrOS|Linux/.exec(device.userAgent)?.[0] ?? "unknown device";
  return device.model || device.platform || system;
}

function browserOf(agent) {
  const names = ["Firefox", "FxiOS", "EdgA?", "OPR", "SamsungBrowser", "CriOS", "HeadlessChrome", "Chrome", "Version"];
  const found = names.map((name) => new RegExp(`\\b${name}/[\\d.]+`).exec(agent)?.[0]).find(Boolean) ?? "";
  return found.replace("Version", "Safari").replace("/", " ");
}

/** The graphics processor's name, by which a phone's chip is known. Nothing is computed there. */
function gpuOf() {
  const context = document.createElement("canvas").getContext("webgl");
  const names = context?.getExtension("WEBGL_debug_renderer_info");
  return names ? String(context.getParameter(names.UNMASKED_RENDERER_WEBGL)) : "";
}
