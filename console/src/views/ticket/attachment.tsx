/** A picture, recording, video or file of a message: fetched when it is asked for, shown from memory, saved as a download. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Digest } from "../../lifecycle/ids.ts";
import type { Media, OpenTicket } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { reason } from "../reasons.ts";
import { saveFile } from "../save_file.ts";
import { useReadable } from "../use.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";

/** What a browser draws and never runs; anything else is a download. */
const DRAWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const BY_ITSELF_BYTES_MAX = 2_000_000; // a larger picture is fetched when somebody asks for it

type Type = "image" | "voice" | "video" | "file";

interface Props {
  readonly ticket: OpenTicket;
  readonly type: Type;
  readonly name: string;
  readonly media: Media | null;
}

export function Attachment({ ticket, type, name, media }: Props): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const title = name || words(type);
  if (media === null) {
    return <p class="quiet">{`${title}: ${words("media_waits")}`}</p>;
  }
  if ("code" in media) {
    return <p class="quiet">{`${title}: ${words("media_absent", { why: reason(language, media.code) })}`}</p>;
  }
  return <Content ticket={ticket} type={type} title={title} media={media} />;
}

interface ContentProps {
  readonly ticket: OpenTicket;
  readonly type: Type;
  readonly title: string;
  readonly media: { readonly digest: Digest; readonly size: number | null; readonly type: string | null };
}

function Content({ ticket, type, title, media }: ContentProps): JSX.Element {
  const { console } = useDesk();
  const words = useWords();
  const isOnline = useReadable(console.connection).status === "online";
  const [url, setUrl] = useState<string | null>(null);
  const { attempt, problem, isBusy } = useAttempt();
  const [contentType, setContentType] = useState(media.type); // of an answer it comes with the content
  const isPlayed = type === "voice" || type === "video";
  const isDrawn = type === "image" && (contentType === null || DRAWN.has(contentType));
  const isShown = isPlayed || isDrawn;
  const isSmall = media.size === null || media.size <= BY_ITSELF_BYTES_MAX;
  const keep = (content: Blob): void => {
    setContentType(content.type);
    if (isPlayed || DRAWN.has(content.type)) {
      setUrl(URL.createObjectURL(content));
    }
  };
  const show = (): void => attempt(async () => keep(await ticket.media(media.digest)));
  const showIfSmall = async (): Promise<void> => {
    const content = await ticket.mediaUpTo(media.digest, BY_ITSELF_BYTES_MAX);
    if (content !== null) {
      keep(content);
    }
  };
  useEffect(() => {
    if (isDrawn && isSmall && url === null && !isBusy) {
      attempt(showIfSmall);
    }
  }, [media.digest, isOnline]); // what did not come without a network is asked for again with one
  useEffect(() => () => (url === null ? undefined : URL.revokeObjectURL(url)), [url]);
  const download = (): void =>
    attempt(async () => {
      saveFile(await ticket.media(media.digest), title);
    });
  return (
    <figure class="attachment">
      {url !== null && type === "image" && <img src={url} alt={title} />}
      {url !== null && type === "voice" && <Sound url={url} title={title} />}
      {url !== null && type === "video" && <Film url={url} title={title} />}
      {type === "image" && !isDrawn && <p class="quiet">{words("not_drawn")}</p>}
      <figcaption>
        {isShown && url === null && (
          <button type="button" disabled={isBusy} onClick={show}>
            {words("show")}
          </button>
        )}
        <button type="button" disabled={isBusy} onClick={download}>
          {words("download", { name: title })}
        </button>
      </figcaption>
      <Failure problem={problem} />
    </figure>
  );
}

interface PlayedProps {
  readonly url: string;
  readonly title: string;
}

function Sound({ url, title }: PlayedProps): JSX.Element {
  // biome-ignore lint/a11y/useMediaCaption: what a customer recorded has no captions
  return <audio controls src={url} aria-label={title} />;
}

function Film({ url, title }: PlayedProps): JSX.Element {
  // biome-ignore lint/a11y/useMediaCaption: what a customer filmed has no captions
  return <video controls src={url} aria-label={title} />;
}
