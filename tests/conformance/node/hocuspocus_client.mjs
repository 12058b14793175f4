// A client of /collab: @hocuspocus/provider as published, every document on one socket, tokens in-band.
// Usage: node ... ws://HOST:PORT [PACKAGE]; without a package it is version 4.

import { createDecoder, readVarString, readVarUint } from 'lib0/decoding'
import { run, say, WatchedSocket } from './commands.mjs'

const [url, library = '@hocuspocus/provider'] = process.argv.slice(2)
const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import(library)
const providers = new Map()
let fresh = null // a token in place of those that documents were opened with

class Socket extends WatchedSocket {
  static isUpdate (data) {
    const decoder = createDecoder(data)
    readVarString(decoder)
    return readVarUint(decoder) === 0 && readVarUint(decoder) === 2
  }
}

const socket = new HocuspocusProviderWebsocket({
  url: `${url}/collab`,
  WebSocketPolyfill: Socket,
  onClose: ({ event }) => say({ event: 'close', document: null, code: event.code, reason: event.reason })
})

run({
  open (name, doc, token, { as, session = false }) {
    const tell = (event, fields) => say({ event, document: as, ...fields })
    const provider = new HocuspocusProvider({
      websocketProvider: socket,
      name,
      document: doc,
      token: () => fresh ?? token,
      broadcast: false, // else two clients of version 2 in one process would meet behind the service's back
      sessionAwareness: session,
      onAuthenticated: () => tell('authenticated', { scope: provider.authorizedScope }),
      onAuthenticationFailed: ({ reason }) => tell('denied', { reason }),
      onClose: ({ event }) => event.code === 1000 && tell('denied', { reason: event.reason }), // the document's own
      onSynced: ({ state }) => tell('synced', { synced: state })
    })
    // Version 2 counts below nought once what it wrote offline is acknowledged: its count began anew at one.
    provider.on('unsyncedChanges', (told) => tell('unsynced', { number: Math.max(0, told.number ?? told) }))
    provider.attach?.() // version 2 attaches itself
    providers.set(as, provider)
    return provider
  },
  connect: () => socket.connect(),
  disconnect: () => socket.disconnect(),
  token: ({ token }) => { fresh = token },
  leave: ({ document }) => providers.get(document).destroy()
})
