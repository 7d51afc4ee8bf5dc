/** How much is shown in one frame. Pure. */
import type { Patch } from "../items";

/** Takes patches from the front until they hold this much text; a longer text is cut, and its rest stays. */
export function take(patches: Patch[], most_text: number): Patch[] {
  const taken: Patch[] = [];
  let left = most_text;
  while (left > 0) {
    const patch = patches[0];
    if (!patch) {
      break;
    }
    if (patch.op === "append" && patch.delta.length > left) {
      taken.push({ ...patch, delta: patch.delta.slice(0, left) });
      patches[0] = { ...patch, delta: patch.delta.slice(left) };
      break;
    }
    left -= patch.op === "append" ? patch.delta.length : 0;
    taken.push(patch);
    patches.shift();
  }
  return taken;
}
