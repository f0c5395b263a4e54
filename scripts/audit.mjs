// `npm run audit`: fails where a package of the lock file has a vulnerability that is known, high or critical. Not every registry answers that
// question (mirrors do not): this is said then, and fails only with TALARIA_AUDIT=required.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const cwd = fileURLToPath(new URL('..', import.meta.url))
// On Windows npm is a script, which only a shell starts; no argument here comes from outside.
const { stdout } = spawnSync('npm audit --package-lock-only --audit-level=high --json', {
  cwd,
  shell: true,
  encoding: 'utf8',
  maxBuffer: 64 << 20,
})
const report = read(stdout)

if (report.metadata?.vulnerabilities === undefined) {
  const reason = String(report.message ?? report.error?.summary ?? 'npm audit printed no report').split('\n')[0]
  process.stderr.write(`The registry tells nothing of vulnerabilities: ${reason}. They are not known here.\n`)
  if (process.env.TALARIA_AUDIT === 'required') process.exitCode = 1
} else {
  const { high, critical, total } = report.metadata.vulnerabilities
  for (const { name, severity, range, via } of Object.values(report.vulnerabilities)) {
    const titles = via.map(cause => (typeof cause === 'string' ? `by ${cause}` : `${cause.title} (${cause.url})`))
    process.stdout.write(`${severity}: ${name} ${range}: ${titles.join('; ')}\n`)
  }
  process.stdout.write(`${total} known vulnerabilities, ${high} of them high, ${critical} critical.\n`)
  if (high + critical > 0) process.exitCode = 1
}

function read(text) {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
