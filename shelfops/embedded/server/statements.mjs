// What the server has to know of a client's statements, read from their text.
//
// Nothing here protects anything: what the patterns miss is lost at a hand-over or is
// refused by PostgreSQL. Security is in identity.mjs and state.mjs.

import { message, readString } from './protocol.mjs'

const READ_AT_MOST = 64 * 1024 // bytes of a statement that are looked at
const LEADING = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/
const CUSTOM_NAME = /^[a-z_][\w$]*(?:\.[a-z_][\w$]*)+$/i
const SET_NAME = /\bset\s+(?:session\s+|local\s+)?("?[a-z_][\w$]*"?(?:\."?[a-z_][\w$]*"?)+)/gi
const SET_CONFIG = /\bset_config\s*\(\s*'([^']+)'/gi
// What may change the session. Asking PostgreSQL for its settings takes a millisecond,
// so it is asked only after one of these words.
const CHANGES_SESSION = /set|discard|prepare|deallocate|\bdo\b|\bcall\b|\bexecute\b/i
const DISCARD_ALL = /^discard\s+all\b/i
const DEALLOCATE = /^deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([\w$]+))/i

const NO_ENCODING = 'a client encoding other than UTF8 is not possible'

const REFUSED = [
  [/^listen\b/i, 'LISTEN is not possible: all clients share one backend'],
  [/^create\s+database\b/i, 'CREATE DATABASE is not possible: there is one database'],
  [/^drop\s+database\b/i, 'DROP DATABASE is not possible: there is one database'],
  [/^alter\s+database\s.*\brename\b/is, 'the one database cannot be renamed'],
  [/^copy\b[^]*\b(?:from|to)\s+program\b/i, 'COPY with a program is not possible'],
  [/^copy\s+[^(']+(?:\([^']*\)\s*)?(?:from|to)\s+e?'/i, 'COPY with a file on the server is not possible'],
  // Converting between encodings crashes this build.
  [
    /\bset\s+(?:(?:session|local)\s+)?(?:client_encoding(?:\s*=\s*|\s+to\s+)|names\s+)(?!'?(?:utf-?8|unicode|sql_ascii|default)\b)/i,
    NO_ENCODING,
  ],
  [/\bset_config\s*\(\s*'client_encoding'\s*,\s*(?!'(?:utf-?8|unicode|sql_ascii)')/i, NO_ENCODING],
  [
    /\bpg_(?:try_)?advisory_lock(?:_shared)?\s*\(/i,
    'session-level advisory locks are not possible: all clients share one backend; ' +
      'use pg_advisory_xact_lock',
  ],
]

export function refusal(text) {
  const start = text.replace(LEADING, '')
  const found = REFUSED.find(([pattern]) => pattern.test(start))
  return found && `the embedded engine: ${found[1]}`
}

// A statement that fails in PostgreSQL itself, so that the transaction fails with it.
export function failing(text) {
  return (
    "DO $embedded$ BEGIN RAISE EXCEPTION USING ERRCODE = '0A000', " +
    `MESSAGE = '${text.replaceAll("'", "''")}'; END $embedded$`
  )
}

// Follows one client's prepared statements and the names of its custom settings.
export class StatementLog {
  constructor() {
    this.prepared = new Map() // name -> Parse message
    this.loaded = new Set() // names the backend has at the moment
    this.customNames = new Set()
    this.settingByParameter = new Set() // prepared statements that call set_config
    this.changing = new Set() // prepared statements that may change the session
    this.sessionChanged = true // since its state was saved last
    this.discarded = false // DISCARD ALL: its settings are those it logged in with again
  }

  // The backend was handed to another client: everything must be sent again.
  unload() {
    this.loaded.clear()
  }

  // The message to send in place of this one, and what must be sent before it.
  follow(type, bytes) {
    if (type === 'Q') return this.#simple(bytes)
    if (type === 'P') return this.#parse(bytes)
    if (type === 'B') return this.#bind(bytes)
    if (type === 'D' || type === 'C') return this.#target(type, bytes)
    return { bytes }
  }

  #simple(bytes) {
    const text = head(bytes, 5)
    this.#noteNames(text)
    if (CHANGES_SESSION.test(text)) this.sessionChanged = true
    this.prepared.delete('')
    const refused = refusal(text)
    if (refused) return { bytes: message('Q', failing(refused)) }
    return { bytes, inject: this.#deallocate(text) }
  }

  #parse(bytes) {
    const name = readString(bytes, 5)
    const text = head(bytes, name.next)
    this.#noteNames(text)
    if (/set_config/i.test(text)) this.settingByParameter.add(name.text)
    else this.settingByParameter.delete(name.text)
    if (CHANGES_SESSION.test(text)) this.changing.add(name.text)
    else this.changing.delete(name.text)
    const refused = refusal(text)
    const sent = refused ? this.#refusedParse(name.text, refused) : bytes
    this.prepared.set(name.text, Buffer.from(sent))
    this.loaded.add(name.text)
    return { bytes: sent, inject: this.#deallocate(text) }
  }

  #refusedParse(name, refused) {
    return message('P', name, failing(refused), Buffer.from([0, 0]))
  }

  #bind(bytes) {
    const portal = readString(bytes, 5)
    const name = readString(bytes, portal.next)
    if (this.changing.has(name.text)) this.sessionChanged = true
    if (this.settingByParameter.has(name.text)) this.#noteParameters(bytes, name.next)
    return { bytes, inject: this.#load(name.text) }
  }

  #target(type, bytes) {
    if (bytes[5] !== 'S'.charCodeAt(0)) return { bytes }
    const { text: name } = readString(bytes, 6)
    if (type === 'D') return { bytes, inject: this.#load(name) }
    this.#forget(name)
    return { bytes }
  }

  #load(name) {
    if (this.loaded.has(name) || !this.prepared.has(name)) return undefined
    this.loaded.add(name)
    return this.prepared.get(name)
  }

  #forget(name) {
    this.prepared.delete(name)
    this.loaded.delete(name)
    this.settingByParameter.delete(name)
    this.changing.delete(name)
  }

  // DEALLOCATE of a statement that the hand-over removed must not fail.
  #deallocate(text) {
    const start = text.replace(LEADING, '')
    if (DISCARD_ALL.test(start)) this.discarded = true
    if (/^(?:deallocate\s+(?:prepare\s+)?all|discard\s+all)\b/i.test(start)) {
      this.prepared.clear()
      return undefined
    }
    const match = DEALLOCATE.exec(start)
    if (!match) return undefined
    const name = match[1]?.replaceAll('""', '"') ?? match[2].toLowerCase()
    const inject = this.#load(name)
    this.#forget(name)
    return inject
  }

  #noteNames(text) {
    for (const pattern of [SET_NAME, SET_CONFIG]) {
      for (const [, name] of text.matchAll(pattern)) this.#note(name.replaceAll('"', ''))
    }
  }

  #note(name) {
    if (CUSTOM_NAME.test(name) && this.customNames.size < 100) this.customNames.add(name)
  }

  // set_config($1, ...): the name is among the parameters.
  #noteParameters(bytes, offset) {
    let at = offset + 2 + 2 * bytes.readInt16BE(offset) // parameter formats
    let left = bytes.readInt16BE(at)
    at += 2
    for (; left > 0; left--) {
      const length = bytes.readInt32BE(at)
      at += 4
      if (length > 0 && length < 200) this.#note(bytes.toString('utf8', at, at + length))
      at += Math.max(length, 0)
    }
  }
}

function head(bytes, offset) {
  const end = bytes.indexOf(0, offset)
  return bytes.toString('utf8', offset, Math.min(end < 0 ? bytes.length : end, offset + READ_AT_MOST))
}
