/** Addresses: which page one names. Pure. */

/** Where the page is; `elsewhere` is an address that is none of ours. */
export type Place =
  | { readonly page: "start" | "board" | "elsewhere" }
  | { readonly page: "list"; readonly department: string; readonly search: string } // as `?…`, or empty
  | { readonly page: "ticket"; readonly department: string; readonly ticket: string };

/** Read a path, and what follows it. */
export function placeOf(address: string): Place {
  const [path = "", ...search] = address.split(/(?=\?)/);
  const parts = path.split("/").slice(1).map(decoded);
  const [first, department, ticket, ...more] = parts;
  if (parts.includes(null) || more.length > 0) {
    return { page: "elsewhere" };
  }
  if (first === "" && parts.length === 1) {
    return { page: "start" };
  }
  if (first === "board" && parts.length === 1) {
    return { page: "board" };
  }
  if (first !== "console" || !department) {
    return { page: "elsewhere" };
  }
  return ticket ? { page: "ticket", department, ticket } : { page: "list", department, search: search.join("") };
}

export function listPath(department: string): string {
  return `/console/${encodeURIComponent(department)}`;
}

export function ticketPath(department: string, ticket: string): string {
  return `${listPath(department)}/${encodeURIComponent(ticket)}`;
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
