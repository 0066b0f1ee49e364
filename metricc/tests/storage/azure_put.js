// Sends one signed request to azurite: creates a container, or a blob with what standard input has.
// Arguments: the port, and the path, which is CONTAINER or CONTAINER/BLOB. The account is `shop`, its key `key`.
// How requests are signed: "Authorize with Shared Key" in the documentation of Azure Storage.
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");

const [port, path] = process.argv.slice(2);
const isContainer = !path.includes("/");
const body = isContainer ? Buffer.alloc(0) : fs.readFileSync(0);
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-08-06" };
if (!isContainer) headers["x-ms-blob-type"] = "BlockBlob";
const signed = Object.keys(headers).sort().map((name) => `${name}:${headers[name]}\n`);
const url = `/shop/${path.split("/").map(encodeURIComponent).join("/")}`;
const resource = `/shop${url}${isContainer ? "\nrestype:container" : ""}`;
const fields = ["PUT", "", "", body.length || "", "", "", "", "", "", "", "", ""];
const text = `${fields.join("\n")}\n${signed.join("")}${resource}`;
const signature = crypto.createHmac("sha256", "key").update(text, "utf8").digest("base64");
const options = {
  host: "127.0.0.1",
  port,
  method: "PUT",
  path: isContainer ? `${url}?restype=container` : url,
  headers: { ...headers, "Content-Length": body.length, Authorization: `SharedKey shop:${signature}` },
};
const request = http.request(options, (answer) => {
  answer.on("data", (part) => process.stdout.write(part));
  answer.on("end", () => process.exit(answer.statusCode === 201 ? 0 : 1));
});
request.end(body);
