/**
 * Why a ticket is where it is, in words for the people who work on it: one sentence each.
 *
 * Every transition of the view is named: as what holds, as what came earlier, or with the reason why it does not count.
 * It reads a fold and decides nothing; the words themselves stand in `phrases`.
 */

import type { Fold } from "./fold.ts";
import type { LaneId, TransitionId } from "./ids.ts";
import { known, type Language, type Lifecycle, label, type Owed, type Pattern, STAGE } from "./model.ts";
import { PHRASES, type Phrase } from "./phrases.ts";
import type { Code, Flag, OpenObligation, Status, TicketState } from "./result.ts";
import { matchStage } from "./stage.ts";
import type { Transition } from "./transition.ts";

/** Return the explanation of the ticket that `fold` holds, in sentences of `language`. */
export function explain(lifecycle: Lifecycle, fold: Fold, language: Language = "en"): readonly string[] {
  return [...new Explanation(lifecycle, fold, language).sentences()];
}

type Words = { readonly [word: string]: string | number };
type Step = readonly [Transition, Status];

class Explanation {
  readonly #lifecycle: Lifecycle;
  readonly #fold: Fold;
  readonly #state: TicketState;
  readonly #language: Language;
  readonly #phrases: Record<Phrase, string>;
  readonly #steps: ReadonlyMap<LaneId, readonly Step[]>;

  constructor(lifecycle: Lifecycle, fold: Fold, language: Language) {
    this.#lifecycle = lifecycle;
    this.#fold = fold;
    this.#state = fold.state();
    this.#language = language;
    this.#phrases = PHRASES[language];
    const told = this.#inTime(this.#state.status.keys());
    this.#steps = Map.groupBy(
      told.map((transition): Step => [transition, this.#statusOf(transition)]),
      ([transition]) => transition.lane,
    );
  }

  /** Give the sentences, from the whole to the particular. */
  *sentences(): Generator<string> {
    const { ticket, codes, pending, quarantined } = this.#state;
    if (ticket === null) {
      yield this.#say("unopened");
    } else if (codes.size > 0) {
      yield this.#say("lifecycle_unknown", { count: codes.size });
    } else {
      yield* this.#judged();
    }
    if (pending.size > 0) {
      yield this.#say("pending", { count: pending.size });
    }
    if (quarantined.size > 0) {
      yield this.#say("quarantined", { count: quarantined.size });
    }
  }

  *#judged(): Generator<string> {
    yield* this.#stage();
    for (const lane of this.#lifecycle.lanes.keys()) {
      yield this.#lane(lane);
    }
    yield* this.#flags();
    yield* this.#owed();
    for (const step of [...this.#steps.values()].flat()) {
      yield* this.#ineffective(step);
    }
    yield* this.#earlier();
  }

  /** Return the transitions as people expect to read them; their clocks may be wrong, and decide nothing. */
  #inTime(ids: Iterable<TransitionId>): readonly Transition[] {
    const found = [...ids].map((id) => this.#fold.transition(id));
    return found.sort((first, second) => first.at - second.at || (first.id < second.id ? -1 : 1));
  }

  *#stage(): Generator<string> {
    const match = matchStage(this.#lifecycle, this.#state.lanes);
    if (match === null) {
      yield this.#say("no_stage");
      return;
    }
    const { row, alternative } = match;
    yield this.#say("stage", { stage: this.#label(row.stage), kind: this.#say(`kind_${row.kind}`) });
    const { stages } = this.#lifecycle;
    const reasons = this.#conditions(alternative);
    const place = { number: stages.indexOf(row) + 1, count: stages.length };
    yield this.#say(reasons ? "row" : "row_always", { reasons, ...place });
  }

  #lane(lane: LaneId): string {
    const steps = this.#steps.get(lane) ?? [];
    const holding = steps.filter(([, { status }]) => status === "effective" || status === "contested");
    const words = { lane: this.#label(lane), state: this.#stateName(lane, known(this.#state.lanes, lane)) };
    if (holding.length === 0) {
      return this.#say("lane_initial", words);
    }
    if (holding.some(([, { status }]) => status === "contested")) {
      const sides = holding.map(([transition]) => this.#stepTo(transition));
      return this.#say("lane_contested", { steps: this.#join("comma", sides), ...words });
    }
    const agreed = holding.map(([transition]) => this.#step(transition));
    return this.#say(agreed.length === 1 ? "lane_one" : "lane_agreed", { steps: this.#join("and", agreed), ...words });
  }

  *#flags(): Generator<string> {
    const reviews = this.#state.obligations.slice(this.#state.obligations.length - this.#state.flags.size);
    for (const [index, [lane, flags]] of [...this.#state.flags].entries()) {
      for (const flag of flags) {
        const steps = this.#flagged(flag, reviews[index] as OpenObligation);
        yield this.#say(`flag_${flag}`, { lane: this.#label(lane), steps: this.#join("and", steps) });
      }
    }
  }

  #flagged(flag: Flag, review: OpenObligation): readonly string[] {
    const causes = this.#inTime(review.trigger);
    const overtaken = causes.filter((cause) => this.#statusOf(cause).status === "overtaken");
    if (flag === "overtaken") {
      return overtaken.map((cause) => this.#step(cause));
    }
    const detailed = causes.filter((cause) => !overtaken.includes(cause) && cause.payload !== null);
    const differs = (one: Transition): boolean =>
      detailed.some((other) => this.#to(one) === this.#to(other) && one.payload !== other.payload);
    return detailed.filter(differs).map((cause) => this.#step(cause));
  }

  *#owed(): Generator<string> {
    const { obligations, flags } = this.#state;
    for (const { owes, trigger } of obligations.slice(0, obligations.length - flags.size)) {
      const steps = this.#join("either", this.#owedIn(owes));
      const causes = this.#join(
        "and",
        this.#inTime(trigger).map((cause) => this.#step(cause)),
      );
      yield this.#say(causes ? "owed_because" : "owed", { steps, causes });
    }
  }

  #owedIn(owes: Owed): readonly string[] {
    return [...owes].map(([lane, names]) => {
      const declared = known(this.#lifecycle.lanes, lane).transitions;
      const roles = [...new Set(names.flatMap((name) => known(declared, name).by))];
      return this.#say("owed_in", {
        names: this.#join(
          "or",
          names.map((name) => this.#label(`${lane}.${name}`)),
        ),
        lane: this.#label(lane),
        roles: this.#join(
          "or",
          roles.map((role) => this.#role(role)),
        ),
      });
    });
  }

  *#ineffective([transition, status]: Step): Generator<string> {
    const words = { step: this.#step(transition), lane: this.#label(transition.lane) };
    if (status.status === "overtaken") {
      const others = this.#join(
        "and",
        this.#inTime(status.by).map((other) => this.#step(other)),
      );
      yield this.#say(status.because ? `overtaken_${status.because}` : "overtaken", { others, ...words });
    } else if (status.status === "inert") {
      yield this.#say("inert", { reason: this.#inertReason(transition, status.code), ...words });
    }
  }

  #inertReason(transition: Transition, code: Code): string {
    switch (code) {
      case "ticket":
      case "after":
      case "lifecycle":
      case "unknown":
        return this.#say(`inert_${code}`);
      case "role":
      case "from":
      case "if":
        return this.#say(`inert_${code}`, this.#judgement(transition));
      default:
        throw new Error(`Nothing in a view is inert because of ${code}.`);
    }
  }

  /** What the last checks of a transition compared: what its author brought and saw, and what it takes. */
  #judgement({ actor, lane: id, name, roles, after }: Transition): Words {
    const lane = known(this.#lifecycle.lanes, id);
    const spec = known(lane.transitions, name);
    const sources = this.#namesOf(id).filter((source) => spec.sources.has(source) || source === spec.settles);
    return {
      actor,
      lane: this.#label(id),
      roles: this.#join(
        "comma",
        roles.map((role) => this.#role(role)),
      ),
      allowed: this.#join(
        "or",
        spec.by.map((role) => this.#role(role)),
      ),
      state: this.#stateName(id, known(this.#fold.stateAt(after).lanes, id)),
      sources: this.#join(
        "or",
        sources.map((source) => this.#stateName(id, source)),
      ),
      conditions: this.#conditions(spec.conditions),
    };
  }

  *#earlier(): Generator<string> {
    for (const [lane, told] of this.#steps) {
      const steps = told.filter(([, { status }]) => status === "superseded").map(([earlier]) => this.#step(earlier));
      if (steps.length > 0) {
        yield this.#say("earlier", { lane: this.#label(lane), steps: this.#join("comma", steps) });
      }
    }
  }

  #conditions(patterns: ReadonlyMap<LaneId | typeof STAGE, Pattern>): string {
    const told = [...patterns].filter(([, pattern]) => !pattern.any);
    return this.#join(
      "all_of",
      told.map(([key, pattern]) => this.#condition(key, pattern)),
    );
  }

  #condition(key: LaneId | typeof STAGE, pattern: Pattern): string {
    const wanted = this.#namesOf(key).filter((name) => pattern.names.has(name));
    const names = wanted.map((name) => (key === STAGE ? this.#label(name) : this.#stateName(key, name)));
    const what = key === STAGE ? this.#say("the_stage") : this.#label(key);
    return this.#say(pattern.negated ? "is_not" : "is", { what, names: this.#join("or", names) });
  }

  /** Return, in the order of the file, every name that a pattern for this lane, or for the stage, may hold. */
  #namesOf(key: LaneId | typeof STAGE): readonly string[] {
    if (key === STAGE) {
      return this.#lifecycle.stages.map((row) => row.stage);
    }
    const lane = known(this.#lifecycle.lanes, key);
    return [...lane.states, ...lane.conflicts.keys()];
  }

  #statusOf(transition: Transition): Status {
    return known(this.#state.status, transition.id);
  }

  #step(transition: Transition): string {
    return this.#say("step", { name: this.#name(transition), actor: transition.actor });
  }

  #stepTo(transition: Transition): string {
    const state = this.#stateName(transition.lane, this.#to(transition));
    return this.#say("step_to", { name: this.#name(transition), actor: transition.actor, state });
  }

  #to({ lane, name }: Transition): string {
    return known(known(this.#lifecycle.lanes, lane).transitions, name).to;
  }

  #name({ lane, name }: Transition): string {
    return this.#label(`${lane}.${name}`);
  }

  #stateName(lane: LaneId, state: string): string {
    return this.#join(
      "and",
      state.split("|").map((part) => this.#label(`${lane}.${part}`)),
    );
  }

  #label(key: string): string {
    return label(this.#lifecycle, key, this.#language);
  }

  /** The label of a role, else the whole of it: a record may carry roles that no file names. */
  #role(role: string): string {
    return this.#lifecycle.labels.get(role)?.[this.#language] ?? role;
  }

  #join(glue: Phrase, parts: Iterable<string>): string {
    return [...parts].join(this.#phrases[glue]);
  }

  #say(phrase: Phrase, words: Words = {}): string {
    return this.#phrases[phrase].replace(/\{(\w+)\}/g, (_, word: string) => String(words[word]));
  }
}
