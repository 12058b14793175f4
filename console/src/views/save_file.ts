/** Gives the browser a download. */

const READ_MS = 60_000; // the browser may still be reading it

/** Hand over a content as a download, whatever it says that it is. */
export function saveFile(content: Blob, name: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), READ_MS);
}
