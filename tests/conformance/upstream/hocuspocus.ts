// Stands in for a server of Hocuspocus: what its hooks decide is asked here, and told to the service by a token.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import * as Y from "yjs";

const url = process.env.TARGET as string;
let count = 0;

const seed = async (name: string, hook: any) => {
  const document = new Y.Doc();
  const loaded = await hook({ document, documentName: name });
  if (loaded instanceof Uint8Array) Y.applyUpdate(document, loaded);
  const websocketProvider = new HocuspocusProviderWebsocket({ url });
  const provider = new HocuspocusProvider({ websocketProvider, name, document, token: "good" });
  provider.attach();
  await new Promise<void>((done) => provider.on("unsyncedChanges", ({ number }: any) => number === 0 && done()));
  provider.destroy();
  websocketProvider.destroy();
};

export const newHocuspocus = async (_t: unknown, options: any = {}) => {
  const prefix = `${process.env.RUN}-${++count}-`;
  if (options.onLoadDocument) await seed(`${prefix}hocuspocus-test`, options.onLoadDocument);
  const told = async (token: any, documentName: string) => {
    const connectionConfig = { readOnly: false };
    const given = typeof token === "function" ? await token() : token;
    try {
      await options.onAuthenticate?.({ token: given, documentName, connectionConfig });
    } catch {
      return "bad";
    }
    return connectionConfig.readOnly ? "readonly" : "good";
  };
  return { prefix, told, server: { webSocketURL: url } } as any;
};
