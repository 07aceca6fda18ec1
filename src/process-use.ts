/** What the process itself uses, for `/stats`. */
export function processUse() {
  const { user, system } = process.cpuUsage();
  return {
    uptimeSeconds: Math.round(process.uptime()),
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
  };
}
