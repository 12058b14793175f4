/** Who has a lane of a ticket, and why: a pure reading of its card, the same as `crdt_sync/domain/holds.py`. */

import type { LaneId } from "../lifecycle/ids.ts";
import { type Language, type Lifecycle, label } from "../lifecycle/model.ts";
import { instant } from "./instants.ts";
import type { Holder, Scalar } from "./types.ts";

const KEY = /^hold\.([a-z][a-z0-9_]*)\.([ -~]{1,128})$/;
const VALUE = /^(0|[1-9][0-9]{0,15}) (taken|(?:least_busy|round_robin|sticky) [a-z0-9_-]{1,64})$/;
const ASSIGNEE = /^assignee\.([a-z][a-z0-9_]*)$/;

type Card = ReadonlyMap<string, Scalar>;

/** Return who has each lane, and who else took it; the one who has it comes first. */
export function holders(card: Card): ReadonlyMap<LaneId, readonly Holder[]> {
  const named = new Map<LaneId, string>();
  const held = new Map<LaneId, { readonly actor: string; readonly since: number; readonly how: string }[]>();
  for (const [key, value] of card) {
    const lane = ASSIGNEE.exec(key)?.[1] as LaneId | undefined;
    if (lane !== undefined && typeof value === "string" && value !== "") {
      named.set(lane, value);
    }
    const [, of, actor] = KEY.exec(key) ?? [];
    const [, since, how] = (typeof value === "string" && VALUE.exec(value)) || [];
    if (of !== undefined && actor !== undefined && since !== undefined && how !== undefined) {
      const others = held.get(of as LaneId) ?? [];
      held.set(of as LaneId, [...others, { actor, since: Number(since), how }]);
    }
  }
  return new Map(
    [...new Set([...named.keys(), ...held.keys()])].map((lane) => {
      const order = (held.get(lane) ?? []).toSorted((a, b) => a.since - b.since || (a.actor < b.actor ? -1 : 1));
      const by = named.get(lane);
      const [first] = order;
      const has =
        first !== undefined && (by === undefined || order.some(({ actor }) => actor === by)) ? first.actor : by;
      const shown = order.map((hold) => ({ ...hold, has: hold.actor === has }));
      const byHand = shown.some((hold) => hold.has) ? [] : [{ actor: has ?? "", since: null, how: null, has: true }];
      return [lane, [...byHand, ...shown.filter((hold) => hold.has), ...shown.filter((hold) => !hold.has)]];
    }),
  );
}

/** Return what somebody's taking of a lane writes: the holds that are seen go. */
export function taking(card: Card, lane: LaneId, actor: string, at: number): Record<string, Scalar> {
  return { ...without(card, lane), [`hold.${lane}.${actor}`]: `${at} taken`, [`assignee.${lane}`]: actor };
}

/** Return what naming somebody, or nobody, on the card writes. */
export function naming(card: Card, lane: LaneId, actor: string | null): Record<string, Scalar> {
  return { ...without(card, lane), [`assignee.${lane}`]: actor };
}

function without(card: Card, lane: LaneId): Record<string, Scalar> {
  return Object.fromEntries([...card.keys()].filter((key) => KEY.exec(key)?.[1] === lane).map((key) => [key, null]));
}

/** Say of each lane that somebody has who it is and why, and who else took it; one sentence a line. */
export function told(lifecycle: Lifecycle, card: Card, language: Language): readonly string[] {
  const words = WORDS[language];
  return [...holders(card)].flatMap(([lane, [first, ...others]]) => {
    const name = label(lifecycle, lane, language);
    const say = (phrase: string, holder: Holder | undefined, why = ""): string =>
      filled(phrase, { lane: name, actor: holder?.actor ?? "", how: how(holder, language), why });
    const why = filled(first?.since === null ? words.overruled : words.later, { actor: first?.actor ?? "" });
    return [say(words.has, first), ...others.map((other) => say(words.also, other, why))];
  });
}

function how(holder: Holder | undefined, language: Language): string {
  if (holder?.since == null || holder.how === null) {
    return WORDS[language].set;
  }
  const [way = "", rule = ""] = holder.how.split(" ", 2);
  const at = instant(holder.since);
  return filled(WORDS[language][way as "taken"], { at, rule });
}

function filled(phrase: string, words: Readonly<Record<string, string>>): string {
  return phrase.replace(/\{(\w+)\}/g, (_, word: string) => words[word] ?? "");
}

const WORDS = {
  en: {
    has: "{lane} is with {actor}: {how}.",
    also: "{lane} was also taken by {actor}: {how}. {why}.",
    later: "Neither had seen the other's hold, and that of {actor} has the earlier time",
    overruled: "{actor} was named in the meantime",
    taken: "taken at {at}",
    set: "named on the card",
    least_busy: "given at {at} by the rule {rule} to who had the fewest open tickets",
    round_robin: "given at {at} by the rule {rule} to whose turn it was",
    sticky: "given at {at} by the rule {rule} to who last looked after this customer",
  },
  zh: {
    has: "{lane}由{actor}负责：{how}。",
    also: "{actor}也领取了{lane}：{how}。{why}。",
    later: "双方当时都没有看到对方的领取，{actor}的时间更早",
    overruled: "在此期间已指定{actor}",
    taken: "于{at}领取",
    set: "在卡片上指定",
    least_busy: "于{at}由规则{rule}分配给未结工单最少的人",
    round_robin: "于{at}由规则{rule}轮流分配",
    sticky: "于{at}由规则{rule}分配给上次服务该客户的人",
  },
} as const;
