/** One part of the board: a heading, a plot, and the same numbers as a table and as a file. */

import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";
import { type Cell, csvOf, save } from "./csv.ts";
import { useBoardWords } from "./words.ts";

/** A column of a table. `value` is what the file has; `shown` what the page has, if that is another. */
export interface Column<R> {
  readonly name: string;
  readonly value: (row: R) => Cell;
  readonly shown?: (row: R) => ComponentChildren;
}

interface Props<R> {
  readonly title: string;
  readonly file: string;
  readonly rows: readonly R[];
  readonly columns: readonly Column<R>[];
  readonly isTable?: boolean; // it has no plot, so the table is open
  readonly children?: ComponentChildren;
}

export function Panel<R>({ title, file, rows, columns, isTable = false, children }: Props<R>): JSX.Element {
  const words = useBoardWords();
  const id = useId();
  const download = (): void => {
    const cells = rows.map((row) => columns.map(({ value }) => value(row)));
    save(`${file}.csv`, csvOf([columns.map(({ name }) => name), ...cells]));
  };
  const table = <Table title={title} rows={rows} columns={columns} />;
  return (
    <section class="panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {rows.length > 0 && (
          <button type="button" aria-label={words("csv", { title })} onClick={download}>
            CSV
          </button>
        )}
      </header>
      {(isTable || rows.length > 0) && children}
      {rows.length === 0 && <p class="quiet">{words("nothing")}</p>}
      {rows.length > 0 && isTable && table}
      {rows.length > 0 && !isTable && (
        <details>
          <summary>{words("table")}</summary>
          {table}
        </details>
      )}
    </section>
  );
}

type TableProps<R> = Pick<Props<R>, "title" | "rows" | "columns">;

function Table<R>({ title, rows, columns }: TableProps<R>): JSX.Element {
  return (
    <table>
      <caption class="visually-hidden">{title}</caption>
      <thead>
        <tr>
          {columns.map(({ name, value }) => (
            <th key={name} scope="col" class={alignment(rows, value)}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={index}>
            {columns.map(({ name, value, shown = value }) => (
              <td key={name} class={alignment([row], value)}>
                {shown(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function alignment<R>([row]: readonly R[], value: Column<R>["value"]): string {
  return row !== undefined && typeof value(row) === "number" ? "number" : "";
}
