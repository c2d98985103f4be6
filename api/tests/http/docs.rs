use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::TestApp;

#[tokio::test]
async fn every_operation_says_what_it_is_and_how_it_fails() {
    let app = TestApp::new().await;
    let answer = app.visitor().get("/api/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.ok();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 8);
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            for member in ["summary", "description", "operationId"] {
                assert!(
                    operation[member].as_str().is_some_and(|text| !text.is_empty()),
                    "{what} has no {member}"
                );
            }
            let who = operation["description"].as_str().unwrap();
            assert!(
                ["Anybody", "For whoever is signed in", "For admins"].iter().any(|word| who.contains(word)),
                "{what} does not say who may call it"
            );
            assert_eq!(
                operation.get("security").is_some(),
                !who.contains("Anybody"),
                "{what}: its security and its description disagree"
            );
            if let Some(body) = operation.get("requestBody") {
                let codes = codes_of(operation);
                let json =
                    body["content"].get("application/json").map(|_| ["malformed_json", "unknown_field"]);
                for code in json.iter().flatten().chain(&["cross_site_write"]) {
                    assert!(codes.contains(*code), "{what} does not document {code}");
                }
            }
        }
    }
}

#[tokio::test]
async fn operation_ids_are_unique_and_references_lead_somewhere() {
    let app = TestApp::new().await;
    let document = app.visitor().get("/api/openapi.json").await.ok();
    let mut ids = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "two operations are called {id}");
        }
    }
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn the_schemas_of_bodies_are_as_strict_as_the_routes() {
    let app = TestApp::new().await;
    let document = app.visitor().get("/api/openapi.json").await.ok();
    let mut bodies = BTreeSet::new();
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
    {
        collect_references(&operation["requestBody"]["content"]["application/json"], &mut bodies);
    }
    assert!(bodies.len() >= 15, "{bodies:?}");
    for body in bodies {
        let schema = document.pointer(body.strip_prefix('#').unwrap()).unwrap();
        if schema.get("properties").is_some() {
            assert_eq!(schema["additionalProperties"], false, "{body}");
        }
    }
}

fn codes_of(operation: &Value) -> BTreeSet<String> {
    let responses = operation["responses"].as_object().unwrap();
    responses
        .values()
        .filter_map(|response| response.pointer("/content/application~1problem+json/examples"))
        .flat_map(|examples| examples.as_object().unwrap().keys().cloned())
        .collect()
}

fn collect_references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                into.insert(reference.clone());
            }
            members.values().for_each(|member| collect_references(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_and_its_scripts_come_from_this_server() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    let moved = anybody.get("/api/docs").await;
    assert_eq!(moved.status, 303);
    let page = anybody.get(moved.header("location")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    assert!(!page.text.contains("https://"), "{}", page.text);
    let script = anybody.get("/api/docs/swagger-initializer.js").await;
    assert!(script.text.contains("/api/openapi.json"), "{}", script.text);
    assert_eq!(anybody.get("/").await.header("location"), "/api/docs");
    anybody.get("/api/docs/nothing-here.js").await.refused(404, "not_found");
}
