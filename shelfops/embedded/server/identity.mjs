// Makes the one backend really be the client it works for.
//
// PostgreSQL lets a session whose *authenticated* user is a superuser become anybody with
// SET SESSION AUTHORIZATION. This backend authenticated as the superuser, so without more
// every client could take any identity, and no reading of its SQL could prevent that
// (EXECUTE 'SET SESS' || ...). PostgreSQL keeps the authenticated user in one static
// variable; this module finds it in the engine's memory and writes each client's role
// there, and PostgreSQL's own check then refuses.

export const SUPERUSER_OID = 10
const NEIGHBOURHOOD = 16 // words around the three current user ids

export class Identity {
  constructor(backend) {
    this.backend = backend
    this.module = backend.module
    this.authenticated = -1 // index of the word in HEAPU32
    this.users = -1 // index of the session, outer and current user ids
  }

  // Finds the variables and proves what they are, or throws.
  locate() {
    const { backend } = this
    backend.must('SET SESSION AUTHORIZATION postgres')
    backend.must('BEGIN')
    const triples = this.#intersect(['embedded_probe_1', 'embedded_probe_2'])
    if (triples.length !== 1) {
      throw new Error(`the session's user ids were found ${triples.length} times in memory`)
    }
    this.users = triples[0]
    const proven = this.#candidates().filter((index) => this.#proves(index))
    if (proven.length !== 1) {
      throw new Error(`the authenticated user id was found ${proven.length} times in memory`)
    }
    this.authenticated = proven[0]
    backend.must('ROLLBACK')
    this.#verify(SUPERUSER_OID)
  }

  // Where three adjacent words follow the session's user through two changes.
  #intersect(roles) {
    let found = null
    for (const role of roles) {
      this.backend.must(`CREATE ROLE ${role}`)
      this.backend.must(`SET SESSION AUTHORIZATION ${role}`)
      const here = this.#triplesOf(this.module._GetUserId())
      found = found ? found.filter((index) => here.includes(index)) : here
      this.backend.must('SET SESSION AUTHORIZATION postgres')
    }
    this.backend.must(`SET SESSION AUTHORIZATION ${roles[0]}`)
    return found
  }

  #triplesOf(oid) {
    const heap = this.module.HEAPU32
    const found = []
    for (let at = heap.indexOf(oid); at >= 0; at = heap.indexOf(oid, at + 1)) {
      if (heap[at + 1] === oid && heap[at + 2] === oid) found.push(at)
    }
    return found
  }

  #candidates() {
    const found = []
    for (let at = this.users - NEIGHBOURHOOD; at < this.users + NEIGHBOURHOOD; at++) {
      if (this.module.HEAPU32[at] === SUPERUSER_OID) found.push(at)
    }
    return found
  }

  // Proof: with another oid in this word, and only then, becoming postgres is refused.
  #proves(index) {
    const { backend } = this
    backend.must('SAVEPOINT probe')
    this.module.HEAPU32[index] = this.module._GetUserId()
    const refused = backend.query('SET SESSION AUTHORIZATION postgres').error?.C === '42501'
    this.module.HEAPU32[index] = SUPERUSER_OID
    backend.must('ROLLBACK TO SAVEPOINT probe')
    return refused
  }

  // Outside a transaction. Nothing a client wrote can run in here: one utility
  // statement, and no name in it is looked up through the search path.
  become(role) {
    this.module.HEAPU32[this.authenticated] = SUPERUSER_OID
    this.backend.must(`SET SESSION AUTHORIZATION "${role.replaceAll('"', '""')}"`)
    const oid = this.module._GetUserId()
    this.module.HEAPU32[this.authenticated] = oid
    this.#verify(oid)
    if (oid === SUPERUSER_OID && role !== 'postgres') {
      throw new Error(`the identity of "${role}" did not take effect`)
    }
    return oid
  }

  #verify(oid) {
    const heap = this.module.HEAPU32
    const seen = [this.authenticated, this.users, this.users + 1, this.users + 2]
    if (seen.some((index) => heap[index] !== oid)) {
      throw new Error('the identity in memory is not the expected one')
    }
  }
}
