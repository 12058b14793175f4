/** The sign-in: a page while nobody is signed in, and a dialog over everything when a sign-in has ended. */

import "./style.css";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Person, Problem } from "../../store/types.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { reason } from "../reasons.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import {
  type Developer,
  offered,
  type Provider,
  providerPath,
  refusedCode,
  signInAsDeveloper,
  signInWithPassword,
  type Ways,
} from "./session_api.ts";

const AGAIN_MS = 3_000; // until the service is asked again which ways there are

interface Props {
  /** Called with whoever has signed in, or was signed in already. */
  readonly done: (person: Person) => void;
}

export function SignIn({ done }: Props): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const ways = useWays(done);
  const refused = refusedCode();
  const { attempt, problem, isBusy } = useAttempt();
  const enter = (signIn: () => Promise<Person>): void => attempt(async () => done(await signIn()));
  return (
    <div class="sign-in">
      <h1>{words("sign_in")}</h1>
      {refused !== null && <p role="alert">{words("sign_in_refused", { why: reason(language, refused) })}</p>}
      {ways === null && <p role="status">{words("loading")}</p>}
      {ways !== null && !("password" in ways) && <p role="status">{words("service_away")}</p>}
      {ways !== null && "password" in ways && (
        <>
          {ways.password && <PasswordForm isBusy={isBusy} enter={enter} problem={problem} />}
          {!ways.password && <Failure problem={problem} />}
          {ways.providers.map((provider) => (
            <ProviderLink key={provider.name} provider={provider} />
          ))}
          <Developers people={ways.development} isBusy={isBusy} enter={enter} />
          {!ways.password && ways.providers.length + ways.development.length === 0 && <p>{words("no_ways")}</p>}
        </>
      )}
    </div>
  );
}

type Enter = (signIn: () => Promise<Person>) => void;

interface FormProps {
  readonly isBusy: boolean;
  readonly enter: Enter;
  readonly problem: Problem | null;
}

function PasswordForm({ isBusy, enter, problem }: FormProps): JSX.Element {
  const words = useWords();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    enter(() => signInWithPassword(name, password));
  };
  return (
    <form onSubmit={submit}>
      <label>
        {words("name")}
        <input
          required
          autocomplete="username"
          maxLength={64}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        {words("password")}
        <input
          required
          type="password"
          autocomplete="current-password"
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
      </label>
      <Failure problem={problem} />
      <button type="submit" class="primary" disabled={isBusy}>
        {words(isBusy ? "signing_in" : "sign_in")}
      </button>
    </form>
  );
}

function ProviderLink({ provider }: { readonly provider: Provider }): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  return (
    <a class="button" href={providerPath(provider)}>
      {words("sign_in_with", { name: provider.label[language] ?? provider.name })}
    </a>
  );
}

interface DevelopersProps {
  readonly people: readonly Developer[];
  readonly isBusy: boolean;
  readonly enter: Enter;
}

function Developers({ people, isBusy, enter }: DevelopersProps): JSX.Element | null {
  const words = useWords();
  const language = useLanguage();
  const title = ({ department, role, labels }: Developer): string => {
    const label = (name: string): string => labels[name]?.[language] ?? name;
    const both = { department: label(department), role: label(role) };
    return role === department ? both.department : words("role_in", both);
  };
  if (people.length === 0) {
    return null;
  }
  return (
    <section class="developers">
      <h2>{words("development")}</h2>
      <div class="buttons">
        {people.map((person) => (
          <button
            key={person.name}
            type="button"
            value={person.name}
            disabled={isBusy}
            onClick={() => enter(() => signInAsDeveloper(person.name))}
          >
            {title(person)}
          </button>
        ))}
      </div>
    </section>
  );
}

/** The ways there are; null while the service is asked, and what went wrong while it does not answer. */
function useWays(done: (person: Person) => void): Ways | Problem | null {
  const [ways, setWays] = useState<Ways | Problem | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isLeft = false;
    const ask = async (): Promise<void> => {
      try {
        const found = await offered();
        if (!isLeft && found.session !== null) {
          done(found.session);
        } else if (!isLeft) {
          setWays(found.ways);
        }
      } catch (error) {
        if (!isLeft) {
          setWays({ code: "offline", message: String(error) });
          timer = setTimeout(ask, AGAIN_MS);
        }
      }
    };
    ask();
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, []);
  return ways;
}
