/** The whole page: who is signed in decides what the address shows. */

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { createConsole } from "../store/console.ts";
import { REMEMBERED } from "../store/session.ts";
import type { Console, Person } from "../store/types.ts";
import { DeskContext } from "./context.ts";
import { Department } from "./department.tsx";
import { Dialog } from "./dialog.tsx";
import { listPath } from "./places.ts";
import { useWords } from "./preferences.ts";
import { go, Link, place } from "./router.tsx";
import { Guard } from "./shell/guard.tsx";
import { NewerBuild } from "./shell/newer_build.tsx";
import { refusedCode } from "./signin/session_api.ts";
import { SignIn } from "./signin/sign_in.tsx";
import { useReadable } from "./use.ts";

export function App(): JSX.Element {
  return (
    <Guard>
      <NewerBuild />
      <Desk />
    </Guard>
  );
}

/** `null` is nobody, `undefined` not known yet. */
function Desk(): JSX.Element {
  const words = useWords();
  const [console, setConsole] = useState<Console | null | undefined>();
  const start = (): void => {
    createConsole().then(setConsole, (error: unknown) => {
      reportError(error);
      setConsole(null);
    });
  };
  useEffect(() => start(), []);
  if (console === undefined) {
    return (
      <main class="page">
        <p role="status">{words("loading")}</p>
      </main>
    );
  }
  if (console === null) {
    return (
      <main class="page">
        <SignIn done={() => start()} />
      </main>
    );
  }
  const change = async (): Promise<void> => {
    setConsole(undefined);
    await console.close();
    start();
  };
  const leave = (): void => {
    go(location.pathname, { replace: true }); // whoever comes next did not search
    setConsole(null);
  };
  return <SignedIn console={console} change={change} leave={leave} />;
}

interface SignedInProps {
  readonly console: Console;
  readonly change: () => Promise<void>;
  readonly leave: () => void;
}

/** What is kept of one person is never shown to another: who signs in as another gets a console of their own. */
function SignedIn({ console, change, leave }: SignedInProps): JSX.Element | null {
  const session = useReadable(console.session);
  useEffect(() => {
    if (session.status === "signed_out") {
      leave();
    } else if (session.status === "changed") {
      change().catch(reportError);
    }
  }, [session.status]);
  useEffect(() => {
    const hear = ({ key }: StorageEvent): void => {
      if (key === REMEMBERED || key === null) {
        console.lookAgain();
      }
    };
    const beginAnew = (): void => console.networkChanged();
    addEventListener("storage", hear);
    addEventListener("online", beginAnew);
    addEventListener("offline", beginAnew);
    return () => {
      removeEventListener("storage", hear);
      removeEventListener("online", beginAnew);
      removeEventListener("offline", beginAnew);
    };
  }, [console]);
  if (session.status === "signed_out" || session.status === "changed") {
    return null;
  }
  const { person, status } = session;
  const signedIn = (): void => {
    console.signedIn().catch(() => undefined); // the session says what came of it, another person included
  };
  return (
    <>
      <Places key={keyOf(person)} console={console} person={person} />
      {status === "expired" && <Expired signedIn={signedIn} />}
    </>
  );
}

interface PlacesProps {
  readonly console: Console;
  readonly person: Person;
}

function Places({ console, person }: PlacesProps): JSX.Element {
  const words = useWords();
  const where = useReadable(place);
  const desk = useMemo(() => ({ console, person }), [console, person]);
  const home = listPath(person.department);
  useEffect(() => {
    if (where.page === "start") {
      go(home, { replace: true });
    }
  }, [where, home]);
  const isOwn = "department" in where && where.department === person.department;
  const isBoard = where.page === "board";
  if (isOwn || isBoard || where.page === "start") {
    return (
      <DeskContext.Provider value={desk}>
        <Department
          ticket={where.page === "ticket" ? where.ticket : null}
          isBoard={isBoard}
          search={where.page === "list" ? where.search : null}
        />
      </DeskContext.Provider>
    );
  }
  return (
    <main class="page">
      <p>{"department" in where ? words("other_person", { ...person }) : words("nothing_here")}</p>
      <Link to={home}>{words("go_to_own")}</Link>
    </main>
  );
}

/** Nothing is lost while this is open, and it may be put off: what is done goes out after the sign-in. */
function Expired({ signedIn }: { readonly signedIn: () => void }): JSX.Element {
  const words = useWords();
  const [isOpen, setOpen] = useState(refusedCode() !== null); // whoever comes back from a provider is told
  return (
    <>
      <div class="bar" role="status">
        <span>{words("expired")}</span>
        <button type="button" onClick={() => setOpen(true)}>
          {words("sign_in_again")}
        </button>
      </div>
      {isOpen && (
        <Dialog label={words("sign_in")} close={() => setOpen(false)}>
          <SignIn done={signedIn} />
        </Dialog>
      )}
    </>
  );
}

function keyOf({ department, actor }: Person): string {
  return JSON.stringify([department, actor]);
}
