// A client of /collab: @hocuspocus/provider as published, every document on one socket, tokens in-band.
// Usage: node ... ws://HOST:PORT

import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { CountedSocket, run, say } from './commands.mjs'

const socket = new HocuspocusProviderWebsocket({
  url: `${process.argv[2]}/collab`,
  WebSocketPolyfill: CountedSocket,
  onClose: ({ event }) => say({ event: 'close', document: null, code: event.code })
})

run({
  open (name, doc, token) {
    const tell = (event) => (fields) => say({ event, document: name, ...fields })
    const provider = new HocuspocusProvider({
      websocketProvider: socket,
      name,
      document: doc,
      token,
      onAuthenticated: ({ scope }) => tell('authenticated')({ scope }),
      onAuthenticationFailed: ({ reason }) => tell('denied')({ reason }),
      onSynced: ({ state }) => tell('synced')({ synced: state }),
      onUnsyncedChanges: ({ number }) => tell('unsynced')({ number })
    })
    provider.attach()
    return provider
  },
  connect: () => socket.connect(),
  disconnect: () => socket.disconnect()
})
