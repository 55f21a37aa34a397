// Reads an OSCQuery service with npm's oscquery and prints what it understood as JSON.
import oscquery from "oscquery";

const discovery = new oscquery.OSCQueryDiscovery();
const service = await discovery.queryNewService(process.argv[2], Number(process.argv[3]));
console.log(JSON.stringify({ host: service.hostInfo, methods: service.flat() }));
process.exit(0);
