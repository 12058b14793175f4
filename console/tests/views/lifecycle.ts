import { lifecycleOf } from "../vectors.ts";

/** The shipped default. */
export const LIFECYCLE = lifecycleOf("connect-order");
