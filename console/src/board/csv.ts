/** A table as a file that spreadsheets open: RFC 4180, in UTF-8 with its mark, and no cell that they would calculate. */

export type Cell = string | number;

const FORMULA = /^[=+\-@\t\r]/; // what a spreadsheet takes for a formula, whatever the quotes around it

/** Write rows of cells. */
export function csvOf(rows: readonly (readonly Cell[])[]): string {
  return `\uFEFF${rows.map((row) => `${row.map(cellOf).join(",")}\r\n`).join("")}`;
}

/** Have the browser save a text as a file. */
export function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

function cellOf(cell: Cell): string {
  if (typeof cell === "number") {
    return String(cell);
  }
  const plain = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n']/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
