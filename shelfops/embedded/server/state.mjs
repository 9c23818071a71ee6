// What a client has set in its session, saved and restored at a hand-over.
//
// Saving and restoring run with the client's own identity, never as superuser: its search
// path and its objects can therefore mislead nobody but itself.

const SETTINGS = `
  SELECT name, setting FROM pg_catalog.pg_settings
   WHERE source OPERATOR(pg_catalog.=) 'session'`

// Statements prepared with SQL's PREPARE; those of the protocol are replayed by need.
const PREPARED = `
  SELECT statement FROM pg_catalog.pg_prepared_statements WHERE from_sql`

const WIPE = `
  CLOSE ALL; RESET ALL; DEALLOCATE ALL; UNLISTEN *; DISCARD TEMP;
  DISCARD SEQUENCES; SELECT pg_catalog.pg_advisory_unlock_all()`

export function literal(text) {
  const quoted = text.replaceAll("'", "''")
  return quoted.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`
}

export class SessionState {
  constructor(backend) {
    this.backend = backend
  }

  // `customNames` are settings such as app.current_customer_id: pg_settings omits them.
  save({ customNames, encoding }) {
    const settings = []
    if (encoding !== 'UTF8') {
      settings.push(['client_encoding', encoding])
      this.backend.must("SET client_encoding TO 'UTF8'")
    }
    for (const row of this.#rows(SETTINGS)) {
      if (row[0] !== 'client_encoding') settings.push(row)
    }
    for (const name of customNames) {
      const value = this.#rows(`SELECT pg_catalog.current_setting(${literal(name)}, true)`)[0]?.[0]
      if (value) settings.push([name, value])
    }
    const role = this.#rows("SELECT pg_catalog.current_setting('role')")[0]?.[0]
    const prepared = this.#rows(PREPARED).map(([sql]) => sql)
    return { settings, asRole: role === 'none' ? null : role, prepared }
  }

  // A client that broke its own catalog look-ups loses its settings, and nothing else.
  #rows(sql) {
    return this.backend.query(sql).rows
  }

  // Fails closed: an error here stops the engine.
  wipe() {
    const { error } = this.backend.query(WIPE)
    if (error) throw new Error(`the session could not be wiped: ${error.M}`)
  }

  restore({ role, settings, asRole, prepared, first }) {
    const wanted = first ? [...this.#roleDefaults(), ...settings] : settings
    if (first) for (const setting of wanted) this.backend.must(setConfig([setting]))
    else this.#setAll(wanted)
    if (asRole) this.backend.query(`SET ROLE ${literal(asRole)}`)
    for (const sql of prepared) {
      if (/^\s*prepare\s/i.test(sql)) this.backend.query(sql)
    }
  }

  #setAll(settings) {
    if (!settings.length || !this.backend.query(setConfig(settings)).error) return
    for (const setting of settings) this.backend.query(setConfig([setting]))
  }

  // ALTER ROLE/DATABASE ... SET, which this build does not apply by itself. They are applied as
  // the client, so the one that only a superuser may set is left out: see DEFAULTS in backend.mjs.
  #roleDefaults() {
    const rows = this.#rows(`
      SELECT unnest(s.setconfig)
        FROM pg_catalog.pg_db_role_setting s
        LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
       WHERE (s.setdatabase = 0 OR d.datname = current_database())
         AND (s.setrole = 0 OR r.rolname = session_user)
       ORDER BY s.setrole <> 0, s.setdatabase <> 0`)
    return rows.flatMap(([text]) => {
      const at = text.indexOf('=')
      const name = text.slice(0, at)
      return name === 'track_activities' ? [] : [[name, text.slice(at + 1)]]
    })
  }
}

function setConfig(settings) {
  const calls = settings.map(
    ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`,
  )
  return `SELECT ${calls.join(', ')}`
}
