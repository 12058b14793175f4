// What all clients share: commands come as JSON lines on stdin, what happens goes out as JSON lines on stdout.
// It edits documents and tells what they hold; connections are the business of the unmodified providers.

import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'

const LIFE_MS = 120_000 // whatever the test does, this process ends

const ROOTS = {
  card: { card: 'Map' },
  form: { fields: 'Map', notes: 'Text', payloads: 'Map' },
  log: { log: 'Array', refused: 'Map' },
  submit: { transitions: 'Array', messages: 'Array' },
  talk: { messages: 'Array', delivery: 'Map' }
}

export const say = (event) => process.stdout.write(JSON.stringify(event) + '\n')

// The socket of the package `ws`, which counts how often a provider tried.
export class CountedSocket extends WebSocket {
  static attempts = 0

  constructor (...options) {
    super(...options)
    CountedSocket.attempts += 1
  }
}

const kindOf = (name) => name.split('/')[2]

const contentOf = (name, doc) =>
  Object.fromEntries(Object.entries(ROOTS[kindOf(name)]).map(([root, type]) => [root, doc[`get${type}`](root).toJSON()]))

const edits = {
  set: (doc, { root, fields }) => Object.entries(fields).forEach(([key, value]) => doc.getMap(root).set(key, value)),
  write: (doc, { root, text }) => doc.getText(root).insert(doc.getText(root).length, text),
  push: (doc, { root, values }) => doc.getArray(root).push(values)
}

// `open(name, doc, token)` returns a provider with an `awareness`; `connect` and `disconnect` are for all of them.
// A client that can do more says so with commands of its own.
export const run = ({ open, connect, disconnect, attempts = () => CountedSocket.attempts, ...more }) => {
  const documents = new Map()
  const commands = {
    open ({ document, token }) {
      const doc = new Y.Doc()
      doc.on('update', () => say({ event: 'content', document, content: contentOf(document, doc) }))
      const { awareness } = open(document, doc, token)
      awareness.on('change', () => say({ event: 'presence', document, states: [...awareness.getStates().values()] }))
      documents.set(document, { doc, awareness })
    },
    present: ({ document, state }) => documents.get(document).awareness.setLocalState(state),
    connect,
    disconnect,
    // Attempts within a time, which only this process needs to wait for.
    attempts: ({ within_ms: withinMs }) =>
      setTimeout(() => say({ event: 'attempts', attempts: attempts() }), withinMs),
    ...more
  }
  setTimeout(() => process.exit(3), LIFE_MS)
  console.warn = (...words) => say({ event: 'warning', text: words.join(' ') })
  const lines = createInterface({ input: process.stdin })
  lines.on('close', () => process.exit(0))
  lines.on('line', (line) => {
    const { do: name, ...command } = JSON.parse(line)
    if (name in edits) {
      const { doc } = documents.get(command.document)
      doc.transact(() => edits[name](doc, command))
    } else {
      commands[name](command)
    }
    say({ event: 'done', do: name })
  })
}
