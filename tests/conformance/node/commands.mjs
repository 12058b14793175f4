// What all clients share: commands come as JSON lines on stdin, what happens goes out as JSON lines on stdout.
// It edits documents and tells what they hold; connections are the business of the unmodified providers.

import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { Outbox } from '../../../console/src/recovery/outbox.ts'
import { giveUp, recover } from '../../../console/src/recovery/recover.ts'

const LIFE_MS = 120_000 // whatever the test does, this process ends

const ROOTS = {
  card: { card: 'Map' },
  form: { fields: 'Map', notes: 'Text', payloads: 'Map' },
  log: { log: 'Array', refused: 'Map' },
  submit: { transitions: 'Array', messages: 'Array' },
  talk: { messages: 'Array', delivery: 'Map' }
}

export const say = (event) => process.stdout.write(JSON.stringify(event) + '\n')

// The socket of the package `ws`, which counts how often a provider tried, loses updates and stops reading when told.
export class WatchedSocket extends WebSocket {
  static attempts = 0
  static toLose = 0
  static live = new Set()
  static traces = false

  constructor (...options) {
    super(...options)
    WatchedSocket.attempts += 1
    WatchedSocket.live.add(this)
    this.on('close', () => WatchedSocket.live.delete(this))
    this.on('message', (data) => this.trace('heard', data))
  }

  trace (event, data) {
    if (WatchedSocket.traces) say({ event, hex: Buffer.from(data).toString('hex') })
  }

  send (data, ...more) {
    const lost = WatchedSocket.toLose > 0 && this.constructor.isUpdate(data)
    if (lost) WatchedSocket.toLose -= 1
    else super.send(data, ...more)
    this.trace(lost ? 'lost' : 'said', data)
    return !lost
  }
}

// Documents without rules.
const ROOTS_OF_PLAIN = { map: 'Map', text: 'Text' }

const rootsOf = (name) => name.startsWith('ticket/') ? ROOTS[name.split('/')[2]] : ROOTS_OF_PLAIN

const isLong = (each) => typeof each === 'string' && each.length > 10_000

const told = (value) => JSON.parse(JSON.stringify(value, (_, each) => isLong(each) ? `${each.length} characters` : each))

const contentOf = (name, doc) =>
  Object.fromEntries(Object.entries(rootsOf(name)).map(([root, type]) => [root, told(doc[`get${type}`](root).toJSON())]))

const edits = {
  set: (doc, { root, fields }) => Object.entries(fields).forEach(([key, value]) => doc.getMap(root).set(key, value)),
  write: (doc, { root, text }) => doc.getText(root).insert(doc.getText(root).length, text),
  push: (doc, { root, values }) => doc.getArray(root).push(values),
  fill: (doc, { root, key, bytes }) => doc.getMap(root).set(key, 'x'.repeat(bytes)) // told by its length
}

const onSockets = {
  lose: ({ updates }) => { WatchedSocket.toLose = updates },
  stop_reading: () => WatchedSocket.live.forEach((socket) => socket.pause()),
  read: () => WatchedSocket.live.forEach((socket) => socket.resume()),
  trace: () => { WatchedSocket.traces = true }
}

const synced = (provider) => new Promise((resolve) => {
  if (provider.synced) resolve()
  else provider.on('synced', resolve)
})

// Submits and edits through an outbox, and comes back to a ticket whose documents were made anew, and to a document of
// which something was refused, with the same providers.
const recovering = (documents, open, connect, disconnect) => {
  const outboxes = new Map()
  const outbox = (ticket) => outboxes.get(ticket) ?? outboxes.set(ticket, new Outbox()).get(ticket)
  const drop = (name) => {
    documents.get(name).provider.destroy()
    documents.get(name).doc.destroy()
  }
  return {
    edit: ({ ticket, ...edit }) => outbox(ticket).write(documents.get(edit.document).doc, edit),
    taken: ({ ticket, document }) => outbox(ticket).taken(document),
    give_up: ({ ticket, document, token, meanwhile }) => // `meanwhile` is an edit that is made before it is synced
      giveUp(document, outbox(ticket), {
        async drop () {
          drop(document)
          const closing = [...WatchedSocket.live].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
          disconnect() // what was refused stays refused on its connection
          await Promise.all(closing)
        },
        async open () {
          open({ document, token })
          if (meanwhile !== undefined) outbox(ticket).write(documents.get(document).doc, meanwhile)
          connect()
          await synced(documents.get(document).provider)
        }
      }).then((edits) => say({ event: 'offered', document, edits, kept: outbox(ticket).untaken(document) })),
    submit: ({ ticket, document, root, record, id }) =>
      outbox(ticket).submit(documents.get(document).doc, { root, record, id }),
    outbox: ({ ticket }) => say({ event: 'outbox', ticket, outbox: outbox(ticket) }),
    load: ({ ticket, stored }) => outboxes.set(ticket, new Outbox(stored)),
    recover: ({ ticket, names, token, stored = outbox(ticket).toJSON() }) => // `stored` is what another tab has stored
      recover(ticket, outbox(ticket), {
        keep () {},
        drop: () => names.forEach(drop),
        async open () {
          names.forEach((document) => open({ document, token }))
          await Promise.all(names.map((name) => synced(documents.get(name).provider)))
          const [submit, log] = ['submit', 'log'].map((kind) =>
            documents.get(names.find((name) => name.split('/')[2] === kind)).doc)
          const papers = names.filter((name) => ['card', 'form'].includes(name.split('/')[2]))
          return { submit, log, written: Object.fromEntries(papers.map((name) => [name, documents.get(name).doc])) }
        },
        stored: () => stored,
        store () {}
      }).then((count) => say({ event: 'recovered', ticket, count }))
  }
}

// `open(name, doc, token, options)` returns a provider with an `awareness`; `connect`, `disconnect` and `token`, which
// brings a fresh one, are for all of them. A client that can do more says so with commands of its own.
export const run = ({ open, connect, disconnect, attempts = () => WatchedSocket.attempts, ...more }) => {
  const documents = new Map()
  const commands = {
    open ({ document, token, as = document, client_id: clientID, ...options }) { // `as` names it for whoever commands
      const doc = new Y.Doc()
      if (clientID !== undefined) doc.clientID = clientID
      doc.on('update', () => say({ event: 'content', document: as, content: contentOf(document, doc) }))
      const provider = open(document, doc, token, { as, ...options })
      const { awareness } = provider
      awareness.on('change', () => say({ event: 'presence', document: as, states: [...awareness.getStates().values()] }))
      documents.set(as, { doc, awareness, provider })
    },
    present: ({ document, state }) => documents.get(document).awareness.setLocalState(state),
    connect,
    disconnect,
    // Attempts within a time, which only this process needs to wait for.
    attempts: ({ within_ms: withinMs }) =>
      setTimeout(() => say({ event: 'attempts', attempts: attempts() }), withinMs),
    ...onSockets,
    ...more
  }
  Object.assign(commands, recovering(documents, commands.open, connect, disconnect))
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
